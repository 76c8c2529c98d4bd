// A job that a test interferes with while it runs.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "app/program.h"

namespace specthink::testing_support {

class BackgroundProgram {
 public:
  /// `build/specthink ARGUMENTS` under mpirun with so many ranks; arguments are shell text.
  BackgroundProgram(const std::string& arguments, int ranks);
  ~BackgroundProgram();  ///< kills it when it still runs
  BackgroundProgram(const BackgroundProgram&) = delete;
  BackgroundProgram& operator=(const BackgroundProgram&) = delete;

  /// Waits until `condition` holds. Fails the test when the program ends before.
  void wait_until(const std::function<bool()>& condition);

  void signal_launcher(int signal) const;
  void signal_rank(int rank, int signal) const;

  ProgramResult wait();

 private:
  bool has_ended();

  std::filesystem::path folder_;
  int pid_ = -1;  // mpirun
  int status_ = 0;
  bool ended_ = false;
};

/// An environment variable of the programs that are started during its life.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const std::string& value);
  ~ScopedVariable();
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

/// Lines in which a rank says why the job ends.
int count_rank_messages(const std::string& err);

}  // namespace specthink::testing_support
