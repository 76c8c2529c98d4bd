// Hands out the runs of a benchmark to workers and records what they bring back.
#pragma once

#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "specthink/evaluation/benchmark.h"
#include "specthink/evaluation/progress.h"

namespace specthink::inline evaluation {

/// May be used by several threads. A failure to record a run is kept: it stops the queue, and is thrown to everyone who
/// asks from then on, so that the thread that can report it gets to know of it.
class WorkQueue {
 public:
  /// `benchmark` has been started and is used by nobody else meanwhile; `progress` may be null. `before_record` is
  /// called before each run is recorded, by one thread at a time; what it throws is a failure to record. `later` are
  /// runs of other queues that come behind these: they count in what progress expects.
  WorkQueue(Benchmark& benchmark, Progress* progress, std::function<void()> before_record = {}, std::string label = "",
            std::vector<RunKey> later = {});

  /// The next run, in the order of Benchmark::pending(); null when none is left to hand out or the queue was stopped.
  std::optional<RunKey> next();

  /// Records a run that was handed out. One that was interrupted stops the queue.
  void deliver(RunRecord record);

  /// Hands out nothing any more.
  void stop();
  bool is_stopped() const;

  /// Something else that makes it impossible to go on; treated like a failure to record.
  void fail(std::exception_ptr failure);

  /// True when nothing is left to hand out or being worked on.
  bool is_drained() const;

  /// Nothing when there was none.
  void throw_failure() const;

 private:
  void rethrow() const;  // with the lock

  // Notes that a run was recorded, and returns those that are to come.
  std::vector<RunKey> settle(const RunRecord& record);

  Benchmark& benchmark_;
  Progress* progress_;
  std::function<void()> before_record_;
  std::string label_;
  std::vector<RunKey> later_;
  std::mutex recording_;  // one run at a time is judged and logged; others are handed out meanwhile
  mutable std::mutex mutex_;
  std::deque<RunKey> pending_;
  std::set<RunKey> in_work_;
  bool stopped_ = false;
  std::exception_ptr failure_;
};

}  // namespace specthink::inline evaluation
