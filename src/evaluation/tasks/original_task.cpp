#include "evaluation/tasks/original_task.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "evaluation/tasks/format_string.h"
#include "evaluation/tasks/handlers.h"
#include "specthink/base/error.h"
#include "specthink/base/strings.h"
#include "specthink/evaluation/gold.h"

namespace specthink::inline evaluation {
namespace {

const std::vector<std::string>& original_task_keys() {
  static const std::vector<std::string> keys{
      "handler",    "dataset_path",          "dataset_subset",    "dataset_split",  "dataset_kwargs", "question_key",
      "answer_key", "templating_parameters", "preprocess_config", "fewshot_config", "num_fewshot"};
  return keys;
}

const std::vector<std::string>& preprocess_keys() {
  static const std::vector<std::string> keys{"url",
                                             "difficulty",
                                             "source",
                                             "jsonl_path",
                                             "tests_dir",
                                             "filter_difficulty",
                                             "math_difficulty_lower_bound",
                                             "math_difficulty_upper_bound"};
  return keys;
}

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : path_(path) {}

  std::string place(const YamlValue& item) const { return fmt::format("{}:{}", path_.string(), item.key_line); }

  void check_key(const YamlValue& item, const std::vector<std::string>& keys) const {
    if (std::find(keys.begin(), keys.end(), item.key) != keys.end()) return;
    throw UserError("{}: unknown key {}{}; expected one of {}", place(item), quote(item.key),
                    did_you_mean(item.key, keys), fmt::join(keys, ", "));
  }

  const YamlValue& require(const YamlValue& root, const char* key) const {
    const YamlValue* value = root.find(key);
    if (!value) throw UserError("{}: the task has no key '{}'", path_.string(), key);
    return *value;
  }

  std::string text(const YamlValue& item) const {
    if (!item.is_scalar() || item.text.empty()) {
      throw UserError("{}: expected text in '{}', found {}", place(item), item.key, item.describe());
    }
    return item.text;
  }

  std::optional<std::string> optional_text(const YamlValue& item) const {
    return item.kind == YamlValue::Kind::null ? std::nullopt : std::optional(text(item));
  }

  const YamlValue& map(const YamlValue& item) const {
    if (item.kind != YamlValue::Kind::map) {
      throw UserError("{}: expected a map in '{}', found {}", place(item), item.key, item.describe());
    }
    return item;
  }

  std::optional<double> number(const YamlValue& item) const {
    if (item.kind == YamlValue::Kind::null) return std::nullopt;
    if (item.kind != YamlValue::Kind::plain || !is_plain_number(item.text)) {
      throw UserError("{}: expected a number in '{}', found {}", place(item), item.key, item.describe());
    }
    return std::strtod(item.text.c_str(), nullptr);
  }

  bool boolean(const YamlValue& item) const {
    if (item.kind == YamlValue::Kind::null) return false;
    if (item.kind != YamlValue::Kind::plain || !is_plain_boolean(item.text)) {
      throw UserError("{}: expected true or false in '{}', found {}", place(item), item.key, item.describe());
    }
    return item.text[0] == 't' || item.text[0] == 'T';
  }

 private:
  const std::filesystem::path& path_;
};

void read_preprocess(const Reader& reader, const YamlValue& map, Task::Preprocess& result) {
  for (const YamlValue& item : map.items) {
    reader.check_key(item, preprocess_keys());
    if (item.key == "url") result.url = reader.optional_text(item);
    if (item.key == "difficulty") result.difficulty = reader.optional_text(item);
    if (item.key == "source") result.source = reader.optional_text(item);
    if (item.key == "jsonl_path") result.jsonl_path = reader.optional_text(item);
    if (item.key == "filter_difficulty") result.filter_difficulty = reader.boolean(item);
    if (item.key == "math_difficulty_lower_bound") result.math_difficulty_lower_bound = reader.number(item);
    if (item.key == "math_difficulty_upper_bound") result.math_difficulty_upper_bound = reader.number(item);
  }
}

void read_templates(const Reader& reader, const YamlValue& map, const Handler& handler, Task& task) {
  for (const YamlValue& item : map.items) {
    const std::string text = reader.text(item);
    parse_format_string(text, fmt::format("{}: {}", reader.place(item), item.key));
    task.templates[item.key] = text;
  }
  for (const std::string_view name : handler.templates) {
    const auto found = task.templates.find(std::string(name));
    if (found == task.templates.end()) {
      throw UserError("{}: templating_parameters has no '{}', which the handler '{}' needs", reader.place(map), name,
                      handler.name);
    }
  }
  if (!handler.is_code) task.prompt_template = task.templates.at("template");
}

// The handler `math` serves data sets that store the answer, and minervamath, whose answer is in a solution.
AnswerForm answers_in(const Handler& handler, const Task& task) {
  AnswerForm form = handler.answers;
  if (handler.name == "math" && task.answer_key == "solution") form.gold = GoldForm::boxed;
  return form;
}

}  // namespace

Task read_original_task(const YamlValue& root, const std::filesystem::path& path) {
  const Reader reader(path);
  Task task;
  task.path = path;
  task.name = path.stem().string();
  task.data = task.name + ".jsonl";
  const YamlValue& handler_item = reader.require(root, "handler");
  task.handler = reader.text(handler_item);
  const Handler* handler = find_handler(task.handler);
  if (!handler) {
    throw UserError("{}: unknown handler {}{}; expected one of {}", reader.place(handler_item), quote(task.handler),
                    did_you_mean(task.handler, handler_names()), fmt::join(handler_names(), ", "));
  }
  task.is_code = handler->is_code;
  for (const YamlValue& item : root.items) {
    reader.check_key(item, original_task_keys());
    if (item.key == "question_key") task.problem_key = reader.text(item);
    if (item.key == "answer_key") task.answer_key = reader.optional_text(item);
    if (item.key == "dataset_path") task.dataset_path = reader.text(item);
    if (item.key == "dataset_split") task.dataset_split = reader.text(item);
    if (item.key == "dataset_subset") task.dataset_subset = reader.optional_text(item).value_or("");
    if (item.key == "preprocess_config" && item.kind != YamlValue::Kind::null) {
      read_preprocess(reader, reader.map(item), task.preprocess);
    }
  }
  task.answer_form = answers_in(*handler, task);
  for (const char* key : {"dataset_path", "dataset_split", "question_key"}) reader.text(reader.require(root, key));
  read_templates(reader, reader.map(reader.require(root, "templating_parameters")), *handler, task);
  if (!task.is_code && !task.answer_key) {
    throw UserError("{}: the task has no key 'answer_key', which the handler '{}' needs", path.string(), task.handler);
  }
  if (!task.is_code) task.answer_rule = task.answer_form.rule();
  return task;
}

}  // namespace specthink::inline evaluation
