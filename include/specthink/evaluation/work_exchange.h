// How the groups of a benchmark get their runs: rank 0 has the queue, and serves it to the other groups from a thread
// of its own while it computes.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "specthink/comm/mailbox.h"
#include "specthink/comm/rank_groups.h"
#include "specthink/evaluation/work_stages.h"

namespace specthink::inline evaluation {

/// What rank 0 of a group sees of the queue.
class WorkSource {
 public:
  virtual ~WorkSource() = default;

  /// The next run; null when this group has nothing left to do.
  virtual std::optional<Work> next() = 0;
  /// `stage` is that of the run's Work.
  virtual void deliver(std::size_t stage, RunRecord record) = 0;

  /// True when the run that is being done shall be cut off.
  virtual bool is_stopped() const = 0;
};

/// On rank 0 of the world.
class LocalWork final : public WorkSource {
 public:
  /// `stop_requested` is asked before each run is handed out.
  LocalWork(WorkStages& stages, std::function<bool()> stop_requested)
      : stages_(stages), stop_requested_(std::move(stop_requested)) {}
  std::optional<Work> next() override;
  void deliver(std::size_t stage, RunRecord record) override { stages_.deliver(stage, std::move(record)); }
  bool is_stopped() const override { return stages_.is_stopped(); }

 private:
  WorkStages& stages_;
  std::function<bool()> stop_requested_;
};

/// On rank 0 of another group.
class RemoteWork final : public WorkSource {
 public:
  /// `stop_requested` is asked with each question to rank 0, which stops all groups when it says so.
  RemoteWork(const Mailbox& mailbox, std::function<bool()> stop_requested)
      : mailbox_(mailbox), stop_requested_(std::move(stop_requested)) {}
  std::optional<Work> next() override;
  void deliver(std::size_t stage, RunRecord record) override;
  bool is_stopped() const override { return false; }

  /// Waits until the runs of all groups are recorded.
  void wait_for_end();

 private:
  Json ask();

  const Mailbox& mailbox_;
  std::function<bool()> stop_requested_;
  bool ended_ = false;  // rank 0 has said so, and says nothing more
};

/// Answers the RemoteWork of `groups`, in a thread. It never waits for rank 0's own runs.
class WorkServer {
 public:
  WorkServer(const Mailbox& mailbox, WorkStages& stages, const RankGroups& groups);
  ~WorkServer();
  WorkServer(const WorkServer&) = delete;
  WorkServer& operator=(const WorkServer&) = delete;

  /// Returns when every group has heard that all runs are recorded.
  void finish();

 private:
  void run();
  void handle(const Mailbox::Message& message);
  Json answer(bool stop);

  const Mailbox& mailbox_;
  WorkStages& stages_;
  std::size_t clients_;
  std::size_t ended_ = 0;
  std::atomic<bool> closing_{false};
  std::thread thread_;
};

}  // namespace specthink::inline evaluation
