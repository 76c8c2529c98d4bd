#include "specthink/bench/task.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string_view>

#include "bench/prompt_template.h"
#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/strings.h"
#include "specthink/report/jsonl.h"

namespace specthink {
namespace {

constexpr std::uint64_t kMaxTaskFile = 1 << 20;  // bytes

std::string place(const std::filesystem::path& path, const YAML::Mark& mark) {
  return mark.is_null() ? path.string() : fmt::format("{}:{}", path.string(), mark.line + 1);
}

// Messages are one line; a scalar of a file need not be.
std::string in_quotes(const std::string& text) { return excerpt(replace_invalid_utf8(text)); }

YAML::Node parse_yaml(const std::filesystem::path& path) {
  const std::string text = read_file(path, kMaxTaskFile);
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.size() > 1) throw UserError("{}: expected one YAML document, found {}", path.string(), documents.size());
    return documents.empty() ? YAML::Node() : documents.front();
  } catch (const YAML::Exception& error) {
    throw UserError("{}: not valid YAML: {}", place(path, error.mark), error.msg);
  }
}

std::string read_text(const YAML::Node& value, const std::string& key, const std::string& where) {
  if (value.IsScalar() && !value.Scalar().empty()) return value.Scalar();
  const char* found = value.IsSequence() ? "a list" : value.IsMap() ? "a map" : value.IsNull() ? "nothing" : "''";
  throw UserError("{}: expected text in '{}', found {}", where, key, found);
}

const std::vector<std::string>& task_keys() {
  static const std::vector<std::string> keys{"name",       "template", "data",          "problem_key",
                                             "answer_key", "id_key",   "answer_pattern"};
  return keys;
}

void check_template(const Task& task, const std::string& where) {
  const std::vector<PromptPiece> pieces = parse_template(task.prompt_template);
  if (std::none_of(pieces.begin(), pieces.end(), [](const PromptPiece& piece) { return piece.is_field; })) {
    throw UserError(
        "{}: the template names no field, expected {{{}}} where the problem belongs (braces right behind a command such as "
        "\\boxed{{x}} are left alone)",
        where, task.problem_key);
  }
}

}  // namespace

Task load_task(const std::filesystem::path& path) {
  const YAML::Node root = parse_yaml(path);
  if (!root.IsMap()) {
    throw UserError("{}: expected a map with the keys name, template and data", place(path, root.Mark()));
  }
  Task task;
  task.path = path;
  std::set<std::string> seen;
  std::string template_place;
  for (const auto& entry : root) {
    const std::string where = place(path, entry.first.Mark());
    if (!entry.first.IsScalar()) throw UserError("{}: expected a key of a task, found a list or a map", where);
    const std::string& key = entry.first.Scalar();
    if (std::find(task_keys().begin(), task_keys().end(), key) == task_keys().end()) {
      throw UserError("{}: unknown key {}{}; expected one of {}", where, in_quotes(key), did_you_mean(key, task_keys()),
                      fmt::join(task_keys(), ", "));
    }
    if (!seen.insert(key).second) throw UserError("{}: the key '{}' is there twice", where, key);
    const std::string value = read_text(entry.second, key, where);
    if (key == "name") task.name = value;
    if (key == "template") task.prompt_template = value, template_place = where;
    if (key == "data") task.data = value;
    if (key == "problem_key") task.problem_key = value;
    if (key == "answer_key") task.answer_key = value;
    if (key == "id_key") task.id_key = value;
    if (key == "answer_pattern") {
      task.answer_pattern = value;
      task.answer_rule = AnswerRule(value, where + ": answer_pattern");
    }
  }
  for (const char* key : {"name", "template", "data"}) {
    if (!seen.contains(key)) throw UserError("{}: the task has no key '{}'", path.string(), key);
  }
  check_template(task, template_place);
  return task;
}

}  // namespace specthink
