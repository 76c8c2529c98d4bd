// The three kinds of failure and how they end the program.
//
// Every message is one line that says what failed, where, what was expected, what was found and what to do.
#pragma once

#include <fmt/format.h>

#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>

namespace specthink::inline base {

/// Exit codes of the program; a job launcher sees them unchanged.
enum ExitCode : int {
  kExitSuccess = 0,
  kExitUser = 2,         ///< the user's flags, files or prompt
  kExitEnvironment = 3,  ///< the machine: memory, disk, GPU, MPI
  kExitInternal = 4,     ///< a bug of this program
  kExitInterrupted = 143,
};

class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode exit_code() const { return code_; }

 private:
  ExitCode code_;
};

/// Something the user gave us is wrong: a flag, a configuration, a model folder, a prompt.
class UserError : public Error {
 public:
  template <typename... Args>
  explicit UserError(fmt::format_string<Args...> format, Args&&... args)
      : Error(kExitUser, fmt::format(format, std::forward<Args>(args)...)) {}
};

/// The machine cannot do what was asked: out of memory, no GPU, disk full.
class EnvironmentError : public Error {
 public:
  template <typename... Args>
  explicit EnvironmentError(fmt::format_string<Args...> format, Args&&... args)
      : Error(kExitEnvironment, fmt::format(format, std::forward<Args>(args)...)) {}
};

/// A broken invariant of this program.
class InternalError : public Error {
 public:
  template <typename... Args>
  explicit InternalError(fmt::format_string<Args...> format, Args&&... args)
      : Error(kExitInternal, fmt::format(format, std::forward<Args>(args)...)) {}
};

/// Throws InternalError with the caller's place when an invariant of ours does not hold.
inline void check(bool condition, const char* what,
                  const std::source_location& where = std::source_location::current()) {
  if (!condition) {
    throw InternalError("{}:{}: {} (this is a bug in specthink, please report it)", where.file_name(), where.line(),
                        what);
  }
}

}  // namespace specthink::inline base
