#include "evaluation/tasks/code_prompts.h"

#include <map>
#include <string>

#include "evaluation/tasks/format_string.h"
#include "specthink/base/error.h"

namespace specthink::inline evaluation {
namespace {

std::string fill(const Task& task, const char* name, const Row& row, const std::map<std::string, std::string>& values) {
  const auto pieces = parse_format_string(task.templates.at(name), task.path.string());
  return fill_in(pieces, [&](const std::string& field) {
    const auto found = values.find(field);
    return found != values.end() ? found->second : row.text(field, "named by the template of " + task.path.string());
  });
}

bool has_function_name(const Row& row) {
  const Json tests = row.embedded_json("input_output");
  const auto name = tests.is_object() ? tests.find("fn_name") : tests.end();
  return tests.is_object() && name != tests.end() && name->is_string() && !name->get<std::string>().empty();
}

bool reads_stdin(const Row& row) {
  if (row.contains("is_stdin")) {
    const Json& value = row.field("is_stdin", "the kind of input");
    if (!value.is_boolean()) {
      throw UserError("{}: expected true or false in the field 'is_stdin', found {}", row.source(), excerpt(value));
    }
    return value.get<bool>();
  }
  const Json tests = row.embedded_json("public_test_cases");
  if (!tests.is_array() || tests.empty() || !tests[0].is_object()) {
    throw UserError("{}: expected a list of tests as text in the field 'public_test_cases', found {}", row.source(),
                    excerpt(tests));
  }
  for (const Json& test : tests) {
    if (test.is_object() && test.value("testtype", Json()) == "stdin") return true;
  }
  return false;
}

}  // namespace

Question ask_livecodebench(const Task& task, const ProblemOptions&, const Row& row) {
  const std::string prompt = row.text(row.contains("prompt") ? "prompt" : "question_content", "the question");
  const std::string key = row.contains(task.problem_key) ? task.problem_key : "question_id";
  const char* name = reads_stdin(row) ? "stdin_template" : "non_stdin_template";
  return {row.text(key, "question_key"), fill(task, name, row, {{"prompt", prompt}}), std::nullopt};
}

Question ask_apps(const Task& task, const ProblemOptions&, const Row& row) {
  const std::string text = row.text(task.problem_key, "question_key");
  const char* name = has_function_name(row) ? "without_fn_name_template" : "with_fn_name_template";
  const std::string input = fill(task, name, row, {{"prompt", text}});
  return {text,
          fill(task, "with_starter_code_template", row,
               {{"input", input}, {"starter_code", row.optional_text("starter_code")}}),
          std::nullopt};
}

Question ask_taco(const Task& task, const ProblemOptions&, const Row& row) {
  const std::string text = row.text(task.problem_key, "question_key");
  const std::string starter_code = row.optional_text("starter_code");
  std::string input = fill(task, "initial_template", row, {{"prompt", text}});
  if (!starter_code.empty()) {
    input = fill(task, "starter_code_template", row, {{"input", input}, {"starter_code", starter_code}});
  }
  const bool is_called = !starter_code.empty() || has_function_name(row);
  return {text, fill(task, is_called ? "call_template" : "stdin_template", row, {{"input", input}}), std::nullopt};
}

}  // namespace specthink::inline evaluation
