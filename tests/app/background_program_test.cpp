// The helpers of background_program.h, which the other files of this folder use.
#include "app/background_program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>
#include <vector>

#include "specthink/base/file.h"

namespace specthink::testing_support {
namespace {

std::string slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);  // files of /proc have no size
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Processes that mpirun has started, and the rank of each.
struct RankProcess {
  int pid;
  int rank;
};
std::vector<RankProcess> rank_processes(int launcher) {
  std::vector<RankProcess> found;
  const std::string prefix = "/proc/" + std::to_string(launcher) + "/task/" + std::to_string(launcher) + "/children";
  std::istringstream children(slurp(prefix));
  const std::string variable = "OMPI_COMM_WORLD_RANK=";
  for (int pid = 0; children >> pid;) {
    std::istringstream variables(slurp("/proc/" + std::to_string(pid) + "/environ"));
    for (std::string line; std::getline(variables, line, '\0');) {
      if (line.starts_with(variable)) found.push_back({pid, std::stoi(line.substr(variable.size()))});
    }
  }
  return found;
}

}  // namespace

BackgroundProgram::BackgroundProgram(const std::string& arguments, int ranks) : folder_(fresh_folder("background")) {
  const std::string command = std::string("cd '") + std::getenv("SPECTHINK_SOURCE_DIR") + "' && exec " +
                              std::getenv("SPECTHINK_MPIRUN") + " " + std::to_string(ranks) + " '" +
                              std::getenv("SPECTHINK_BINARY") + "' " + arguments;
  pid_ = ::fork();
  if (pid_ != 0) return;
  const int out = ::open((folder_ / "out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const int err = ::open((folder_ / "err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const int in = ::open("/dev/null", O_RDONLY);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  ::execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
  ::_exit(127);
}

BackgroundProgram::~BackgroundProgram() {
  if (has_ended()) return;
  ::kill(pid_, SIGTERM);  // mpirun then ends its ranks
  ::waitpid(pid_, &status_, 0);
}

bool BackgroundProgram::has_ended() {
  if (!ended_) ended_ = ::waitpid(pid_, &status_, WNOHANG) == pid_;
  return ended_;
}

void BackgroundProgram::wait_until(const std::function<bool()>& condition) {
  while (!condition()) {
    if (has_ended()) {
      ADD_FAILURE() << "the program has ended too early: " << slurp(folder_ / "err");
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void BackgroundProgram::signal_launcher(int signal) const { ::kill(pid_, signal); }

void BackgroundProgram::signal_rank(int rank, int signal) const {
  for (const RankProcess& process : rank_processes(pid_)) {
    if (process.rank == rank) {
      ::kill(process.pid, signal);
      return;
    }
  }
  ADD_FAILURE() << "no process of rank " << rank;
}

ProgramResult BackgroundProgram::wait() {
  if (!ended_) ::waitpid(pid_, &status_, 0);
  ended_ = true;
  const int code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  return {code, slurp(folder_ / "out"), slurp(folder_ / "err")};
}

ScopedVariable::ScopedVariable(const char* name, const std::string& value) : name_(name) {
  if (const char* before = std::getenv(name)) before_ = before;
  ::setenv(name, value.c_str(), 1);
}
ScopedVariable::~ScopedVariable() {
  if (before_) {
    ::setenv(name_, before_->c_str(), 1);
  } else {
    ::unsetenv(name_);
  }
}

int count_rank_messages(const std::string& err) {
  std::istringstream lines(err);
  int count = 0;
  for (std::string line; std::getline(lines, line);) count += line.starts_with("specthink: rank ");
  return count;
}

}  // namespace specthink::testing_support
