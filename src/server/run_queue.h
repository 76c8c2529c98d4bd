// Runs on their way from the clients to the engine, and how the server ends.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "server/answer/answer.h"
#include "server/groups/group_choice.h"
#include "server/metrics.h"
#include "specthink/engine/runner.h"
#include "specthink/server/run_order.h"

namespace specthink::inline server {

/// A run of a choice of an answer.
struct QueuedRun {
  RunOrder order;
  std::shared_ptr<Answer> answer;
  std::size_t choice = 0;
  PrefixKeys prompt;
};

class RunQueue final : public RunSource {
 public:
  struct Options {
    std::size_t max_waiting = 0;
    double wait_seconds = 0;   ///< after which a run that has not begun is refused
    double drain_seconds = 0;  ///< after a stop, for what has been accepted
    MakeRun make_run;          ///< for the group of this rank
    std::function<bool()> stop_requested;
    std::function<void()> on_idle;   ///< before the engine's thread waits
    std::function<void()> on_drain;  ///< once, when the stop is seen
  };
  RunQueue(Options options, Metrics& metrics) : options_(std::move(options)), metrics_(metrics) {}

  // --- From any thread

  /// False, with nothing taken, when there is no room for all of them.
  bool push(std::vector<QueuedRun> runs);
  bool is_full() const;
  bool is_draining() const;

  /// Ends every answer that has not ended with an error.
  void fail_all(const ApiError& error);

  /// What the thread that drives the engine is to throw.
  void fail(std::exception_ptr failure);

  // --- Groups, of which 0 is that of this rank: GroupChoice says which one a run is for.

  /// Before runs are taken: runs that each group does at a time.
  void set_groups(std::size_t count, int runs);
  std::optional<QueuedRun> take_for(std::size_t group);
  void give_back(std::size_t group);  ///< a run of the group has ended

  // --- From the thread that drives the engine

  std::optional<ScheduledRun> next(bool idle) override;
  bool is_exhausted() override;
  void observe(const PoolStatus& status) override;

 private:
  using Clock = std::chrono::steady_clock;

  std::deque<QueuedRun>::iterator find_for(std::size_t group);
  void note_running() const;
  void look_for_stop();
  void expire();

  Options options_;
  Metrics& metrics_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<QueuedRun> waiting_;
  std::vector<std::weak_ptr<Answer>> answers_;
  GroupChoice groups_{1, kMaxSequences};
  std::exception_ptr failure_;
  std::optional<Clock::time_point> drain_end_;
};

}  // namespace specthink::inline server
