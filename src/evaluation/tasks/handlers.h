// What the original's task handlers do: which rows of a data set are problems, and what is asked and known of each.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "evaluation/tasks/row.h"
#include "specthink/evaluation/gold.h"
#include "specthink/evaluation/task.h"

namespace specthink::inline evaluation {

struct Question {
  std::string text;                  ///< names the problem in result files
  std::string prompt;                ///< the template with its fields filled in
  std::optional<std::string> known;  ///< none for code
};

struct Handler {
  std::string_view name;
  AnswerForm answers;
  bool is_code = false;
  std::span<const std::string_view> templates;  ///< that the task file must have in templating_parameters

  /// Whether a row is one of the task's problems. Throws UserError for a row without what a filter needs.
  bool (*is_problem)(const Task& task, const ProblemOptions& options, const Row& row);

  Question (*ask)(const Task& task, const ProblemOptions& options, const Row& row);
};

/// The handler of that name; null when there is none.
const Handler* find_handler(std::string_view name);

/// The filters that task file or flags name and the handler (null: that of our own task files) does not have: they
/// change nothing.
std::vector<std::string> idle_filters(const Handler* handler, const Task& task, const ProblemOptions& options);

/// The names of all, for messages.
std::vector<std::string> handler_names();

}  // namespace specthink::inline evaluation
