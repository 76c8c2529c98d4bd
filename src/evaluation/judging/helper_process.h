// A child process that answers lines with lines.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace specthink::inline evaluation {

class HelperProcess {
 public:
  /// Starts `command` with its stdin and stdout connected to this and its stderr discarded. Throws EnvironmentError.
  explicit HelperProcess(const std::vector<std::string>& command);

  /// Ends the process.
  ~HelperProcess();

  HelperProcess(const HelperProcess&) = delete;
  HelperProcess& operator=(const HelperProcess&) = delete;

  /// Writes `line`, which has no line end, and reads the answer's line. Null where none comes in time or the process
  /// has ended: this is of no more use then.
  std::optional<std::string> ask(const std::string& line, std::chrono::milliseconds limit);

 private:
  bool write_all(std::string_view text, std::chrono::steady_clock::time_point end);

  int process_ = -1;
  int socket_ = -1;  // its stdin and stdout
  std::string buffer_;
};

}  // namespace specthink::inline evaluation
