// A benchmark's problems: a task file (YAML) and the JSONL of problems that it names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "specthink/base/json.h"
#include "specthink/config/settings.h"
#include "specthink/evaluation/answer.h"
#include "specthink/evaluation/gold.h"
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
///
/// The original's task files load as they are: they have a `handler`, say what stands where on the hub (`dataset_path`,
/// `dataset_subset`, `dataset_split`, `dataset_kwargs`), and have `question_key`, `answer_key`, templates as Python
/// format strings (`templating_parameters`) and filters (`preprocess_config`). Their problems are in NAME.jsonl, where
/// NAME is the file's name without its ending, with the hub's column names; `launch/get_task.py` writes it.
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

  /// What only the original's files have.
  std::string handler;  ///< empty: our own form
  std::map<std::string, std::string> templates;
  std::string dataset_path;    ///< on the hub; "unused" where the problems come from files alone
  std::string dataset_split;   ///< of the hub's data set; the original's result files are named by these two
  std::string dataset_subset;  ///< empty: it has none
  AnswerForm answer_form;
  bool is_code = false;  ///< answers are programs: they are stored, nothing scores them yet
  struct Preprocess {
    std::optional<std::string> url;  ///< problems are the rows whose url contains this
    std::optional<std::string> difficulty;
    std::optional<std::string> source;
    std::optional<std::string> jsonl_path;
    bool filter_difficulty = false;
    std::optional<double> math_difficulty_lower_bound;
    std::optional<double> math_difficulty_upper_bound;
  } preprocess;
};

/// As a limit: however many there are.
inline constexpr std::size_t kAllProblems = static_cast<std::size_t>(-1);

/// What a command says about the problems; where it says nothing, the task file does.
struct ProblemOptions {
  ChoiceOrder choice_order = ChoiceOrder::shuffled;
  std::uint64_t seed = 0;              ///< of that order
  std::size_t first = 0;               ///< so many of the problems that the filters leave are skipped
  std::optional<std::string> split{};  ///< these two make the file NAME-SUBSET-SPLIT.jsonl
  std::optional<std::string> subset{};
  std::optional<std::string> difficulty{};
  std::optional<std::string> source{};
  bool filter_difficulty = false;
  std::optional<double> math_difficulty_lower_bound{};
  std::optional<double> math_difficulty_upper_bound{};
};

/// Throws UserError with file and line for a missing, unknown, repeated or ill-typed key, for a template that names no
/// field, and for an unknown handler.
Task load_task(const std::filesystem::path& path);

/// The problems file: `task.data` itself when absolute, otherwise the first that exists of `data_dir`/data,
/// `data_dir`/tasks/data (both unless `data_dir` is empty) and the task file's folder/data. A relative path must not
/// leave those folders. Throws UserError that lists where it looked and says how to get the file.
std::filesystem::path find_problems(const Task& task, const std::filesystem::path& data_dir,
                                    const ProblemOptions& options = {});

/// The first `limit` problems of the file that find_problems() finds, of those that the filters leave; fewer, with a
/// warning, when it has no more. Another warning says so where answers are programs, which nothing scores.
/// Throws UserError with file and line for a line that is no JSON object or lacks a field, or has one of a wrong type.
std::vector<Problem> load_problems(const Task& task, const std::filesystem::path& data_dir, std::size_t limit,
                                   const ProblemOptions& options = {});

}  // namespace specthink::inline evaluation
