#include "specthink/evaluation/judge.h"

#include <utility>

#include "evaluation/judging/math_verify.h"
#include "specthink/base/error.h"

namespace specthink::inline evaluation {
namespace {

constexpr const char* kExact = "exact";
constexpr const char* kMathVerify = "math-verify";

// Where the original returns the prompt as well, answers quoted in it are none of the model's.
std::string_view generated_part(std::string_view text, std::string_view prompt) {
  const std::size_t at = prompt.empty() ? std::string_view::npos : text.find(prompt);
  return at == std::string_view::npos ? text : text.substr(at + prompt.size());
}

void decide(Verdict& verdict, const std::optional<bool>& same, const char* judge) {
  verdict.judge = judge;
  verdict.correct = same.value_or(false);
  verdict.reason = !same ? "not decided" : *same ? "equal" : "different";
}

}  // namespace

class Judge::Helper {
 public:
  explicit Helper(std::vector<std::string> command) : library_(std::move(command)) {}

  std::optional<bool> same(std::string_view given, std::string_view known) { return library_.same(given, known); }

 private:
  MathVerify library_;
};

Judge::Judge(JudgeMode mode) : mode_(mode) {
  if (mode == JudgeMode::exact) return;
  std::vector<std::string> command = find_math_verify();
  if (!command.empty()) {
    helper_ = std::make_unique<Helper>(std::move(command));
  } else if (mode == JudgeMode::math_verify) {
    throw UserError("--judge math-verify: it is not installed; run launch/setup.sh eval, or use --judge exact");
  }
}

Judge::~Judge() = default;
Judge::Judge(Judge&&) noexcept = default;
Judge& Judge::operator=(Judge&&) noexcept = default;

Verdict Judge::text(std::string_view text, std::string_view known, const AnswerRule& rule) const {
  Verdict verdict{.correct = false, .answer = rule.find(text), .judge = kExact, .reason = "no answer"};
  if (!verdict.answer) return verdict;
  decide(verdict, rule.compare(*verdict.answer, known), kExact);
  const bool is_open = mode_ == JudgeMode::math_verify || verdict.reason == "not decided";
  if (!helper_ || rule.num_choices() > 0 || !is_open) return verdict;
  decide(verdict, helper_->same(*verdict.answer, known), kMathVerify);
  return verdict;
}

void Judge::record(RunRecord& record, const Problem& problem, const AnswerRule& rule) const {
  if (!problem.answer) return;
  const Verdict verdict = text(generated_part(record.generated_text, problem.prompt), *problem.answer, rule);
  record.answer = verdict.answer;
  record.correct = verdict.correct;
  record.extra["judge"] = verdict.judge;
  record.extra["judge_reason"] = verdict.reason;
}

}  // namespace specthink::inline evaluation
