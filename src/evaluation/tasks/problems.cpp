// Reading a task's problems.
#include <algorithm>
#include <string_view>
#include <system_error>

#include "evaluation/tasks/handlers.h"
#include "evaluation/tasks/prompt_template.h"
#include "evaluation/tasks/row.h"
#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/log.h"
#include "specthink/evaluation/task.h"
#include "specthink/report/jsonl.h"

namespace specthink::inline evaluation {
namespace {

namespace fs = std::filesystem;

Json read_id(const Task& task, const Row& row, std::size_t index) {
  const std::string key = task.id_key.value_or("id");
  if (!task.id_key && !row.contains(key)) return index;
  const Json& id = row.field(key, "its id");
  if (id.is_primitive()) return id;  // null too: the id is written as it is, and nothing is looked up by it
  throw UserError("{}: expected a string, a number or null in the field '{}' (its id), found {}", row.source(), key,
                  excerpt(id));
}

std::string render(const std::vector<PromptPiece>& pieces, const Task& task, const Row& row) {
  std::string prompt;
  for (const PromptPiece& piece : pieces) {
    if (!piece.is_field) {
      prompt += piece.text;
      continue;
    }
    const bool means_problem = piece.text == "prompt" && !row.contains(piece.text);
    prompt += row.text(means_problem ? task.problem_key : piece.text, "named by the template of " + task.path.string());
  }
  return prompt;
}

Problem read_own_problem(const Task& task, const std::vector<PromptPiece>& pieces, const Row& row, std::size_t index) {
  Problem problem;
  problem.id = read_id(task, row, index);
  problem.problem = row.text(task.problem_key, "problem_key");
  problem.prompt = render(pieces, task, row);
  if (task.answer_key) problem.answer = row.text(*task.answer_key, "answer_key");
  return problem;
}

Problem read_original_problem(const Task& task, const Handler& handler, const ProblemOptions& options, const Row& row,
                              std::size_t index) {
  Question question = handler.ask(task, options, row);
  return {.id = read_id(task, row, index),
          .problem = std::move(question.text),
          .prompt = std::move(question.prompt),
          .answer = std::move(question.known)};
}

bool leaves_folder(const fs::path& relative) {
  const fs::path normal = relative.lexically_normal();
  return !normal.empty() && *normal.begin() == "..";
}

// NAME.jsonl, or of another subset or split.
fs::path data_name(const Task& task, const ProblemOptions& options) {
  if (task.handler.empty() || (!options.subset && !options.split)) return task.data;
  std::string name = task.name;
  for (const auto& part : {options.subset, options.split}) {
    if (part) name += "-" + *part;
  }
  return name + ".jsonl";
}

/// A task file that is read from files alone names no data set.
constexpr const char* kNoDataset = "unused";

std::string how_to_get(const Task& task, const ProblemOptions& options) {
  std::string command = "launch/get_task.py " + (task.handler.empty() ? task.name : task.path.string());
  if (task.dataset_path == kNoDataset) command += " --from FOLDER";
  if (options.subset) command += " --subset " + *options.subset;
  if (options.split) command += " --split " + *options.split;
  return command;
}

}  // namespace

fs::path find_problems(const Task& task, const fs::path& data_dir, const ProblemOptions& options) {
  const fs::path data = data_name(task, options);
  if (leaves_folder(data)) {
    throw UserError(
        "{}: data '{}' leaves its folder; give an absolute path, or point to its folder with --data-dir DIR",
        task.path.string(), data.string());
  }
  std::vector<fs::path> places;
  if (task.preprocess.jsonl_path) places.push_back(*task.preprocess.jsonl_path);
  if (data.is_absolute()) {
    places.push_back(data);
  } else {
    if (!data_dir.empty()) places.insert(places.end(), {data_dir / data, data_dir / "tasks" / data});
    places.push_back(task.path.parent_path() / data);
  }
  std::vector<std::string> names;
  for (const fs::path& place : places) {
    std::error_code ignored;
    if (fs::exists(place, ignored)) return place;
    names.push_back(place.string());
  }
  throw UserError(
      "{}: the problems of task '{}' are not there, looked for {}; `{}` writes them, or point to their folder with "
      "--data-dir DIR or SPECTHINK_DATA=DIR",
      task.path.string(), task.name, fmt::join(names, ", "), how_to_get(task, options));
}

std::vector<Problem> load_problems(const Task& task, const fs::path& data_dir, std::size_t limit,
                                   const ProblemOptions& options) {
  const fs::path path = find_problems(task, data_dir, options);
  const std::string content = read_file(path);
  const std::vector<TextLine> lines = split_lines(content);
  if (lines.empty()) throw UserError("{}: no problem in it, expected one JSON object a line", path.string());
  const Handler* handler = task.handler.empty() ? nullptr : find_handler(task.handler);
  for (const std::string& filter : idle_filters(handler, task, options)) {
    spdlog::warn("{}: {} changes nothing: problems of this kind are not filtered by it", task.path.string(), filter);
  }
  std::vector<PromptPiece> pieces;
  if (!handler) pieces = parse_template(task.prompt_template);
  std::vector<Problem> problems;
  std::size_t found = 0;
  for (std::size_t i = 0; i < lines.size() && problems.size() < limit; ++i) {
    const bool is_skipped = !handler && found < options.first;
    if (is_skipped) {
      ++found;
      continue;
    }
    const Row row(lines[i].text, fmt::format("{}:{}", path.string(), lines[i].number));
    if (handler && !handler->is_problem(task, options, row)) continue;
    if (found++ < options.first) continue;
    problems.push_back(handler ? read_original_problem(task, *handler, options, row, i)
                               : read_own_problem(task, pieces, row, i));
  }
  if (problems.empty()) {
    throw UserError("{}: none of its {} rows is a problem of task '{}' (filters of {} and of the command)",
                    path.string(), lines.size(), task.name, task.path.string());
  }
  if (problems.size() < limit && limit != kAllProblems) {
    spdlog::warn("{} has {} problems, not {}: all of them are used", path.string(), problems.size(), limit);
  }
  if (task.is_code) {
    spdlog::warn(
        "task '{}': answers are programs; they are stored, but not scored: that needs a sandbox, which is not "
        "there yet",
        task.name);
  }
  return problems;
}

}  // namespace specthink::inline evaluation
