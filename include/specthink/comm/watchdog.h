// Sees to it that a failure of any rank ends the whole job, with one message.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "specthink/comm/process_group.h"

namespace specthink::inline comm {

struct Finding;
class ProcessHandle;

/// A thread that looks at the other ranks of the node while this one works. Finds a rank whose process is gone, and
/// ranks that get nowhere for `collective_timeout` seconds (0: not looked for): stopped by a signal, stuck, or missing
/// in a collective. The first to find it prints one line that names the rank and what it did last; then the job ends
/// with kExitEnvironment, whatever the ranks wait for. Ranks on other nodes are noticed when this rank waits for them.
class Watchdog {
 public:
  /// Collective.
  Watchdog(const ProcessGroup& world, double collective_timeout);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// This rank has failed: prints why, unless another rank has said why the job ends, and ends the job. When a rank of
  /// the node is gone, that is what is printed: the failure here is a consequence.
  [[noreturn]] void fail(const Failure& failure);

 private:
  void run();
  std::vector<RankSnapshot> look() const;
  [[noreturn]] void end_job(const Finding& finding, ExitCode code) const;

  const ProcessGroup& world_;
  double timeout_;
  std::vector<std::unique_ptr<ProcessHandle>> processes_;  // by rank on the node; null for this one
  std::mutex mutex_;
  std::condition_variable stop_changed_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace specthink::inline comm
