// Reading a task's problems.
#include <algorithm>
#include <string_view>
#include <system_error>

#include "evaluation/prompt_template.h"
#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/log.h"
#include "specthink/evaluation/task.h"
#include "specthink/report/jsonl.h"

namespace specthink::inline evaluation {
namespace {

namespace fs = std::filesystem;

const Json& require(const Json& object, const std::string& key, std::string_view use, const std::string& source) {
  const auto found = object.find(key);
  if (found != object.end()) return *found;
  std::vector<std::string> keys;
  for (const auto& [name, value] : object.items()) keys.push_back(name);
  throw UserError("{}: the problem has no field '{}' ({}), only {}", source, key, use,
                  keys.empty() ? "{}" : fmt::format("{}", fmt::join(keys, ", ")));
}

// Strings as they are, numbers as JSON writes them.
std::string read_text(const Json& object, const std::string& key, std::string_view use, const std::string& source) {
  const Json& value = require(object, key, use, source);
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number()) return value.dump();
  throw UserError("{}: expected a string or a number in the field '{}' ({}), found {}", source, key, use,
                  excerpt(value));
}

Json read_id(const Task& task, const Json& object, std::size_t index, const std::string& source) {
  const std::string key = task.id_key.value_or("id");
  if (!task.id_key && !object.contains(key)) return index;
  const Json& id = require(object, key, "its id", source);
  if (id.is_primitive()) return id;  // null too: the id is written as it is, and nothing is looked up by it
  throw UserError("{}: expected a string, a number or null in the field '{}' (its id), found {}", source, key,
                  excerpt(id));
}

std::string render(const std::vector<PromptPiece>& pieces, const Task& task, const Json& object,
                   const std::string& source) {
  std::string prompt;
  for (const PromptPiece& piece : pieces) {
    if (!piece.is_field) {
      prompt += piece.text;
      continue;
    }
    const bool means_problem = piece.text == "prompt" && !object.contains(piece.text);
    prompt += read_text(object, means_problem ? task.problem_key : piece.text,
                        "named by the template of " + task.path.string(), source);
  }
  return prompt;
}

Problem read_problem(const Task& task, const std::vector<PromptPiece>& pieces, std::string_view line, std::size_t index,
                     const std::string& source) {
  const Json object = parse_json(line, source);
  if (!object.is_object()) {
    throw UserError("{}: expected a JSON object with a problem, found {}", source, excerpt(object));
  }
  Problem problem;
  problem.id = read_id(task, object, index, source);
  problem.problem = read_text(object, task.problem_key, "problem_key", source);
  problem.prompt = render(pieces, task, object, source);
  if (task.answer_key) problem.answer = read_text(object, *task.answer_key, "answer_key", source);
  return problem;
}

bool leaves_folder(const fs::path& relative) {
  const fs::path normal = relative.lexically_normal();
  return !normal.empty() && *normal.begin() == "..";
}

}  // namespace

fs::path find_problems(const Task& task, const fs::path& data_dir) {
  const fs::path data = task.data;
  if (leaves_folder(data)) {
    throw UserError(
        "{}: data '{}' leaves its folder; give an absolute path, or point to its folder with --data-dir DIR",
        task.path.string(), task.data);
  }
  std::vector<fs::path> places;
  if (data.is_absolute()) {
    places = {data};
  } else {
    if (!data_dir.empty()) places = {data_dir / data, data_dir / "tasks" / data};
    places.push_back(task.path.parent_path() / data);
  }
  std::vector<std::string> names;
  for (const fs::path& place : places) {
    std::error_code ignored;
    if (fs::exists(place, ignored)) return place;
    names.push_back(place.string());
  }
  throw UserError(
      "{}: the problems of task '{}' are not there, looked for {}; point to their folder with --data-dir DIR or "
      "SPECTHINK_DATA=DIR",
      task.path.string(), task.name, fmt::join(names, ", "));
}

std::vector<Problem> load_problems(const Task& task, const fs::path& data_dir, std::size_t limit) {
  const fs::path path = find_problems(task, data_dir);
  const std::string content = read_file(path);
  const std::vector<TextLine> lines = split_lines(content);
  const std::vector<PromptPiece> pieces = parse_template(task.prompt_template);
  if (lines.empty()) throw UserError("{}: no problem in it, expected one JSON object a line", path.string());
  if (lines.size() < limit) {
    spdlog::warn("{} has {} problems, not {}: all of them are used", path.string(), lines.size(), limit);
  }
  std::vector<Problem> problems;
  for (std::size_t i = 0; i < std::min(limit, lines.size()); ++i) {
    const std::string source = fmt::format("{}:{}", path.string(), lines[i].number);
    problems.push_back(read_problem(task, pieces, lines[i].text, i, source));
  }
  return problems;
}

}  // namespace specthink::inline evaluation
