// Several benchmarks as one amount of work: the tasks and temperatures of an evaluation, whose models are loaded once.
#pragma once

#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "specthink/evaluation/work_queue.h"
#include "specthink/report/problem.h"

namespace specthink::inline evaluation {

/// A run to be done.
struct Work {
  RunKey key;
  Problem problem;         ///< on ranks other than 0 without its answer: rank 0 judges
  double temperature = 0;  ///< of its benchmark
  std::size_t stage = 0;   ///< which benchmark it belongs to
};

/// One benchmark of several.
struct WorkStage {
  std::unique_ptr<Benchmark> benchmark;
  double temperature = 0;
  std::string label;  ///< for the progress line; empty: there is one benchmark
};

/// The queues of the stages, whose runs are handed out one stage after the other; nobody waits between two of them. May
/// be used by several threads. A failure or a stop in one stage is one in all.
class WorkStages {
 public:
  /// The benchmarks have been started; `progress` may be null. `before_record` as in WorkQueue.
  WorkStages(const std::vector<WorkStage>& stages, Progress* progress, const std::function<void()>& before_record = {});

  std::optional<Work> next();
  void deliver(std::size_t stage, RunRecord record);
  void stop();
  bool is_stopped() const;
  void fail(const std::exception_ptr& failure);
  bool is_drained() const;

 private:
  const std::vector<WorkStage>& stages_;
  std::deque<WorkQueue> queues_;
  std::mutex delivery_;  // the stages share the progress line
};

}  // namespace specthink::inline evaluation
