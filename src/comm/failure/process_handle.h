// Whether another process still exists.
#pragma once

namespace specthink::inline comm {

class ProcessHandle {
 public:
  explicit ProcessHandle(int pid);
  ~ProcessHandle();
  ProcessHandle(const ProcessHandle&) = delete;
  ProcessHandle& operator=(const ProcessHandle&) = delete;

  /// True also for one that has ended but is not collected by its parent, where the kernel has pidfd_open (Linux 5.3).
  bool is_gone() const;

 private:
  int pid_;
  int fd_;  // negative: asked by number
  bool gone_ = false;
};

}  // namespace specthink::inline comm
