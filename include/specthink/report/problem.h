// A problem of a task, as prompts and result files have it.
#pragma once

#include <optional>
#include <string>

#include "specthink/base/json.h"

namespace specthink::inline report {

struct Problem {
  Json id;                            ///< a string or an integer
  std::string problem;                ///< its text
  std::string prompt;                 ///< the template with its fields filled in
  std::optional<std::string> answer;  ///< numbers as they are written in the file
};

}  // namespace specthink::inline report
