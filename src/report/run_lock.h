// The right to write a run log: a file beside it that names who has it.
#pragma once

#include <filesystem>
#include <string>

namespace specthink::inline report {

/// Held from construction by take() to destruction, or to the end of the process however that ends.
class RunLock {
 public:
  RunLock() = default;
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&& other) noexcept;
  ~RunLock();

  /// Locks `log`. False when another process has it: `owner` then says which one ("pid 17 on host node3 since ...")
  /// and, where that cannot be known for sure, what to do. A lock whose process is gone is taken over. On file systems
  /// that cannot lock, the file's existence counts. Throws EnvironmentError when the lock file cannot be written.
  bool take(const std::filesystem::path& log, std::string& owner);

  static std::filesystem::path path_for(const std::filesystem::path& log);

 private:
  int fd_ = -1;
  std::filesystem::path path_;
};

}  // namespace specthink::inline report
