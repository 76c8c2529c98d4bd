#include "specthink/evaluation/judge.h"

#include <string_view>

namespace specthink::inline evaluation {
namespace {

// Where the original returns the prompt as well, answers quoted in it are none of the model's.
std::string_view generated_part(std::string_view text, std::string_view prompt) {
  const std::size_t at = prompt.empty() ? std::string_view::npos : text.find(prompt);
  return at == std::string_view::npos ? text : text.substr(at + prompt.size());
}

}  // namespace

void judge(RunRecord& record, const Problem& problem, const AnswerRule& rule) {
  if (!problem.answer) return;
  record.answer = rule.find(generated_part(record.generated_text, problem.prompt));
  record.correct = record.answer && same_answer(*record.answer, *problem.answer);
}

}  // namespace specthink::inline evaluation
