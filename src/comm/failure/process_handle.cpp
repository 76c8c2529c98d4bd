#include "comm/failure/process_handle.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace specthink::inline comm {

ProcessHandle::ProcessHandle(int pid) : pid_(pid), fd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {
  gone_ = fd_ < 0 && errno == ESRCH;
}

ProcessHandle::~ProcessHandle() {
  if (fd_ >= 0) ::close(fd_);
}

bool ProcessHandle::is_gone() const {
  if (gone_) return true;
  if (fd_ < 0) return ::kill(pid_, 0) != 0 && errno == ESRCH;
  pollfd request{fd_, POLLIN, 0};
  return ::poll(&request, 1, 0) > 0;
}

}  // namespace specthink::inline comm
