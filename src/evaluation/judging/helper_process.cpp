#include "evaluation/judging/helper_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "specthink/base/error.h"

extern char** environ;

namespace specthink::inline evaluation {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxLine = 1 << 20;  // bytes of an answer

bool wait_for(int descriptor, short events, Clock::time_point end) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0) return false;
    pollfd poll_entry{descriptor, events, 0};
    const int ready = ::poll(&poll_entry, 1, static_cast<int>(left));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

}  // namespace

HelperProcess::HelperProcess(const std::vector<std::string>& command) {
  // A socket pair instead of pipes: writing to a process that has ended can be told not to raise SIGPIPE.
  std::array<int, 2> sockets{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
    throw EnvironmentError("no socket pair for {}: {}", command[0], std::strerror(errno));
  }
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, sockets[1], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, sockets[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  const int error = ::posix_spawn(&process_, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(sockets[1]);
  socket_ = sockets[0];
  if (error == 0) return;
  ::close(sockets[0]);
  throw EnvironmentError("{} does not start: {}", command[0], std::strerror(error));
}

HelperProcess::~HelperProcess() {
  ::close(socket_);
  ::kill(process_, SIGKILL);
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool HelperProcess::write_all(std::string_view text, Clock::time_point end) {
  while (!text.empty()) {
    if (!wait_for(socket_, POLLOUT, end)) return false;
    const ssize_t written = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::optional<std::string> HelperProcess::ask(const std::string& line, std::chrono::milliseconds limit) {
  const Clock::time_point end = Clock::now() + limit;
  if (!write_all(line + "\n", end)) return std::nullopt;
  for (;;) {
    if (const std::size_t at = buffer_.find('\n'); at != std::string::npos) {
      std::string answer = buffer_.substr(0, at);
      buffer_.erase(0, at + 1);
      return answer;
    }
    if (buffer_.size() > kMaxLine || !wait_for(socket_, POLLIN, end)) return std::nullopt;
    std::array<char, 4096> part{};
    const ssize_t size = ::recv(socket_, part.data(), part.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (size <= 0) return std::nullopt;
    buffer_.append(part.data(), static_cast<std::size_t>(size));
  }
}

}  // namespace specthink::inline evaluation
