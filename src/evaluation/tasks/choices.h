// The options of a question.
#pragma once

#include <string>
#include <vector>

#include "evaluation/tasks/row.h"
#include "specthink/evaluation/task.h"

namespace specthink::inline evaluation {

struct Choices {
  std::vector<std::string> texts;
  char right = 'A';  ///< letter of the right one
};

/// The right answer and three wrong ones of a GPQA row: in an order that depends on question and seed, or the right one
/// first, as the original always has it.
Choices gpqa_choices(const Row& row, const std::string& question, const ProblemOptions& options);

/// `choices.text` of an ARC row, in its own order.
std::vector<std::string> arc_choices(const Row& row);

/// Letters and texts, each pair in `pattern` (two {}), with `separator` between them.
std::string join_choices(const std::vector<std::string>& texts, const char* pattern, std::string_view separator);

}  // namespace specthink::inline evaluation
