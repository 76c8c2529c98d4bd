// Prompts of tasks whose answers are programs. Their scoring, which runs tests, is not there yet.
#pragma once

#include <array>
#include <string_view>

#include "evaluation/tasks/handlers.h"

namespace specthink::inline evaluation {

inline constexpr std::array<std::string_view, 2> kLiveCodeBenchTemplates{"stdin_template", "non_stdin_template"};
inline constexpr std::array<std::string_view, 3> kAppsTemplates{"with_fn_name_template", "without_fn_name_template",
                                                                "with_starter_code_template"};
inline constexpr std::array<std::string_view, 4> kTacoTemplates{"initial_template", "starter_code_template",
                                                                "stdin_template", "call_template"};

/// Rows of the hub's data set, or ones that already have prompt, task_id and is_stdin.
Question ask_livecodebench(const Task& task, const ProblemOptions& options, const Row& row);

/// The original takes with_fn_name_template where there is no function name; so does this.
Question ask_apps(const Task& task, const ProblemOptions& options, const Row& row);

Question ask_taco(const Task& task, const ProblemOptions& options, const Row& row);

}  // namespace specthink::inline evaluation
