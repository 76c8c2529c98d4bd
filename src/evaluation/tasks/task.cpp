#include "specthink/evaluation/task.h"

#include <algorithm>

#include "evaluation/tasks/original_task.h"
#include "evaluation/tasks/prompt_template.h"
#include "specthink/base/error.h"
#include "specthink/base/strings.h"
#include "specthink/config/yaml.h"

namespace specthink::inline evaluation {
namespace {

const std::vector<std::string>& task_keys() {
  static const std::vector<std::string> keys{"name",       "template", "data",          "problem_key",
                                             "answer_key", "id_key",   "answer_pattern"};
  return keys;
}

void check_is_text(const YamlValue& item, const std::string& where) {
  const bool is_value =
      item.kind == YamlValue::Kind::plain && (is_plain_number(item.text) || is_plain_boolean(item.text));
  if (is_value) {
    throw UserError("{}: expected text in '{}', found {}; put it in quotes", where, item.key, item.text);
  }
  if (!item.is_scalar() || item.text.empty()) {
    throw UserError("{}: expected text in '{}', found {}", where, item.key, item.describe());
  }
}

void check_template(const Task& task, const std::string& where) {
  const std::vector<PromptPiece> pieces = parse_template(task.prompt_template);
  if (std::none_of(pieces.begin(), pieces.end(), [](const PromptPiece& piece) { return piece.is_field; })) {
    throw UserError(
        "{}: the template names no field, expected {{{}}} where the problem belongs (braces right behind a command "
        "such as \\boxed{{x}} are left alone)",
        where, task.problem_key);
  }
}

}  // namespace

Task load_task(const std::filesystem::path& path) {
  const YamlValue root = read_yaml(path);
  if (root.kind == YamlValue::Kind::map && root.find("handler")) return read_original_task(root, path);
  if (root.kind != YamlValue::Kind::map) {
    throw UserError("{}:{}: expected a map with the keys name, template and data, found {}", path.string(),
                    std::max(root.line, 1), root.describe());
  }
  for (const char* key : {"name", "template", "data"}) {
    if (!root.find(key)) throw UserError("{}: the task has no key '{}'", path.string(), key);
  }
  Task task;
  task.path = path;
  for (const YamlValue& item : root.items) {
    const std::string where = fmt::format("{}:{}", path.string(), item.key_line);
    if (std::find(task_keys().begin(), task_keys().end(), item.key) == task_keys().end()) {
      throw UserError("{}: unknown key {}{}; expected one of {}", where, quote(item.key),
                      did_you_mean(item.key, task_keys()), fmt::join(task_keys(), ", "));
    }
    check_is_text(item, where);
    if (item.key == "name") task.name = item.text;
    if (item.key == "template") task.prompt_template = item.text;
    if (item.key == "data") task.data = item.text;
    if (item.key == "problem_key") task.problem_key = item.text;
    if (item.key == "answer_key") task.answer_key = item.text;
    if (item.key == "id_key") task.id_key = item.text;
    if (item.key == "answer_pattern") {
      task.answer_pattern = item.text;
      task.answer_rule = AnswerRule(item.text, where + ": answer_pattern");
    }
  }
  check_template(task, fmt::format("{}:{}", path.string(), root.find("template")->key_line));
  return task;
}

}  // namespace specthink::inline evaluation
