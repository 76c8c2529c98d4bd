// Several benchmarks as one amount of work: the tasks and temperatures of an evaluation, whose models are loaded once.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
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
///
/// Delivered runs are judged and recorded by a thread of their own, in the order of their delivery: a judge may take
/// seconds for an answer, in which those who deliver compute on.
class WorkStages {
 public:
  /// The benchmarks have been started; `progress` may be null. `before_record` as in WorkQueue.
  WorkStages(const std::vector<WorkStage>& stages, Progress* progress, const std::function<void()>& before_record = {});

  /// Records what has been delivered.
  ~WorkStages();
  WorkStages(const WorkStages&) = delete;
  WorkStages& operator=(const WorkStages&) = delete;

  /// Throws the failure to record an earlier run, if there was one.
  std::optional<Work> next();

  /// Returns at once. A run that was interrupted stops all stages.
  void deliver(std::size_t stage, RunRecord record);

  /// Waits until all that was delivered is recorded. Throws as next() does.
  void finish();

  void stop();
  bool is_stopped() const;
  void fail(const std::exception_ptr& failure);
  bool is_drained() const;

 private:
  struct Delivery {
    std::size_t stage = 0;
    RunRecord record;
  };
  void record_deliveries();
  void record(Delivery delivery);

  const std::vector<WorkStage>& stages_;
  std::deque<WorkQueue> queues_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Delivery> delivered_;  // the first one is being recorded
  bool closing_ = false;
  std::thread recorder_;
};

}  // namespace specthink::inline evaluation
