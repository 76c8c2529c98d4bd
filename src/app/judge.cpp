// specthink judge: whether texts hold the known answers.
#include "specthink/evaluation/judge.h"

#include <fmt/format.h>

#include <iostream>
#include <iterator>

#include "app/commands.h"
#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/log.h"
#include "specthink/evaluation/gold.h"
#include "specthink/report/jsonl.h"

namespace specthink::inline app {
namespace {

const Json& line_member(const Json& object, const char* key, const std::string& source) {
  if (!object.is_object()) throw UserError("{}: expected an object, found {}", source, excerpt(object));
  const auto found = object.find(key);
  if (found == object.end()) {
    throw UserError("{}: no \"{}\", expected {{\"text\": ..., \"gold\": ..., \"dataset\": ...}}", source, key);
  }
  return *found;
}

std::string text_of(const Json& object, const char* key, const std::string& source) {
  const Json& value = line_member(object, key, source);
  if (!value.is_string()) throw UserError("{}: expected a string in \"{}\", found {}", source, key, excerpt(value));
  return value.get<std::string>();
}

Verdict judge_line(const Judge& judge, std::string_view line, const std::string& source) {
  const Json object = parse_json(line, source);
  const std::string text = text_of(object, "text", source);
  const std::string dataset = text_of(object, "dataset", source);
  const auto form = answer_form_of(dataset);
  if (!form) {
    throw UserError("{}: unknown \"dataset\" '{}', expected a name that begins with one of {}", source, dataset,
                    known_datasets());
  }
  return judge.text(text, known_answer(line_member(object, "gold", source), *form, source + ": gold"), form->rule());
}

}  // namespace

int run_judge(const Invocation& invocation) {
  init_logging(0);
  const EvaluationSettings& settings = invocation.settings.evaluation;
  const std::string source = settings.answers.empty() ? "stdin" : settings.answers;
  const std::string content = settings.answers.empty() ? std::string(std::istreambuf_iterator<char>(std::cin), {})
                                                       : read_file(settings.answers);
  const Judge judge(settings.judge);
  for (const TextLine& line : split_lines(content)) {
    const Verdict verdict = judge_line(judge, line.text, fmt::format("{}:{}", source, line.number));
    OrderedJson result;
    result["correct"] = verdict.correct;
    result["answer"] = verdict.answer ? OrderedJson(*verdict.answer) : OrderedJson();
    result["judge"] = verdict.judge;
    result["reason"] = verdict.reason;
    std::cout << to_line(result) << "\n";
  }
  return kExitSuccess;
}

}  // namespace specthink::inline app
