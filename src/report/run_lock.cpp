#include "report/run_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <ctime>
#include <utility>

#include "specthink/base/error.h"
#include "specthink/base/local_time.h"

namespace specthink::inline report {
namespace {

namespace fs = std::filesystem;

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

std::string own_description() {
  return fmt::format("pid {} on host {} since {}", ::getpid(), host_name(),
                     format_local_time(std::time(nullptr), "%Y-%m-%d %H:%M:%S"));
}

std::string read_description(int fd) {
  std::array<char, 512> text{};
  const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
  std::string line(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  line.resize(std::min(line.find('\n'), line.size()));
  // It goes into a message: a damaged file must not.
  for (const char c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) return "";
  }
  return line;
}

/// True for a description by a process of this host that does not exist any more.
bool is_stale(const std::string& description) {
  constexpr std::string_view kPrefix = "pid ";
  if (!description.starts_with(kPrefix)) return false;
  if (description.find(fmt::format(" on host {} since ", host_name())) == std::string::npos) return false;
  int pid = 0;
  std::from_chars(description.data() + kPrefix.size(), description.data() + description.size(), pid);
  return pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH;
}

// A lock file is removed by who had it: the one that was opened here may be another one by now.
bool is_still_there(int fd, const fs::path& path) {
  struct stat opened {};
  struct stat there {};
  return ::fstat(fd, &opened) == 0 && ::stat(path.c_str(), &there) == 0 && opened.st_ino == there.st_ino &&
         opened.st_dev == there.st_dev;
}

}  // namespace

RunLock::RunLock(RunLock&& other) noexcept { *this = std::move(other); }

RunLock& RunLock::operator=(RunLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  return *this;
}

RunLock::~RunLock() {
  if (fd_ < 0) return;
  ::unlink(path_.c_str());  // before others can have it
  ::close(fd_);
}

fs::path RunLock::path_for(const fs::path& log) {
  return log.parent_path() / ("." + log.filename().string() + ".lock");
}

bool RunLock::take(const fs::path& log, std::string& owner) {
  const fs::path path = path_for(log);
  while (true) {
    const bool is_new = !fs::exists(path);
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) throw EnvironmentError("cannot write {}: {}", path.string(), std::strerror(errno));
    const bool locked = ::flock(fd, LOCK_EX | LOCK_NB) == 0;
    const bool is_busy = !locked && errno == EWOULDBLOCK;
    if (!is_still_there(fd, path)) {
      ::close(fd);
      continue;
    }
    owner = read_description(fd);
    const bool doubtful = !locked && !is_busy && !is_new && !is_stale(owner);
    if (is_busy || doubtful) {
      ::close(fd);
      if (owner.empty()) owner = "it does not say which";
      if (doubtful)
        owner += fmt::format("; this file system cannot lock, so if that job is gone, delete {}", path.string());
      return false;
    }
    const std::string description = own_description() + "\n";
    if (::ftruncate(fd, 0) != 0 ||
        ::pwrite(fd, description.data(), description.size(), 0) != static_cast<ssize_t>(description.size())) {
      const int error = errno;
      ::close(fd);
      throw EnvironmentError("cannot write {}: {}", path.string(), std::strerror(error));
    }
    fd_ = fd;
    path_ = path;
    return true;
  }
}

}  // namespace specthink::inline report
