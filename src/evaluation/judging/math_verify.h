// The library math-verify in a helper process.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "evaluation/judging/helper_process.h"

namespace specthink::inline evaluation {

/// The command that runs it, as launch/setup.sh installs it beside the program or SPECTHINK_MATH_VERIFY names its
/// folder; empty: not installed.
std::vector<std::string> find_math_verify();

class MathVerify {
 public:
  /// Starts loading the library; the first answer may take seconds. Throws EnvironmentError.
  explicit MathVerify(std::vector<std::string> command);

  /// Whether two answers are the same. Null where it does not say within the limit.
  std::optional<bool> same(std::string_view given, std::string_view known);

 private:
  std::vector<std::string> command_;
  std::unique_ptr<HelperProcess> process_;  // null when it has failed too often
  int failures_ = 0;
  bool is_loaded_ = false;
};

}  // namespace specthink::inline evaluation
