// A benchmark's problems: a task file (YAML) and the JSONL of problems that it names.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "specthink/base/json.h"
#include "specthink/evaluation/answer.h"
#include "specthink/report/problem.h"

namespace specthink::inline evaluation {

/// The keys of a task file:
///
///   name: aime25                       what results call it
///   template: "Solve ... {problem}"    the user's message
///   data: aime25.jsonl                 one JSON object a line
///   problem_key: problem               the field with the problem's text (this is the default)
///   answer_key: answer                 the field with the answer; without it no accuracy is reported
///   id_key: id                         the field with the id (a string or an integer); where the default is absent,
///   the
///                                      place in the file, from 0
///   answer_pattern: 'answer is (\d+)'  how answers are found in a text; without it, the last \boxed{...}
///
/// In a template, `{field}` stands for that field of the object, where `field` is an identifier; `{prompt}` is the
/// problem's text where the object has no such field. Everything else stays as it is, LaTeX above all: `\boxed{}`, and
/// braces behind a command as in `\boxed{answer}` or `\frac{a}{b}`. `{{field}}` and `{{}}` become `{field}` and `{}`.
struct Task {
  std::filesystem::path path;  ///< the task file
  std::string name;
  std::string prompt_template;
  std::string data;
  std::string problem_key = "problem";
  std::optional<std::string> answer_key;
  std::optional<std::string> id_key;
  std::optional<std::string> answer_pattern;
  AnswerRule answer_rule;
};

/// Throws UserError with file and line for a missing, unknown, repeated or ill-typed key, and for a template that names
/// no field.
Task load_task(const std::filesystem::path& path);

/// The problems file: `task.data` itself when absolute, otherwise the first that exists of `data_dir`/data,
/// `data_dir`/tasks/data (both unless `data_dir` is empty) and the task file's folder/data. A relative path must not
/// leave those folders. Throws UserError that lists where it looked and says how to point to the file.
std::filesystem::path find_problems(const Task& task, const std::filesystem::path& data_dir);

/// The first `limit` problems of the file that find_problems() finds; fewer, with a warning, when it has no more.
/// Throws UserError with file and line for a line that is no JSON object or lacks a field, or has one of a wrong type.
std::vector<Problem> load_problems(const Task& task, const std::filesystem::path& data_dir, std::size_t limit);

}  // namespace specthink::inline evaluation
