// What the ranks of a node share besides messages: the status of each, and who reports a failure.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "specthink/comm/fault.h"
#include "specthink/comm/rank_status.h"

namespace specthink {

class SharedMemory;

class JobState {
 public:
  /// Memory of this process alone; ProcessGroup makes one that the node shares. `memory` holds bytes_for(size) zeros.
  JobState();
  JobState(SharedMemory memory, int index, int size);
  ~JobState();
  JobState(const JobState&) = delete;
  JobState& operator=(const JobState&) = delete;
  static std::size_t bytes_for(int ranks);

  /// This rank now does something else, or has got on with it. Costs some 20 ns. A fault that was asked for happens
  /// here.
  void mark(Phase phase, std::int64_t detail = 0);

  /// This rank enters and leaves a wait for others. Scope of one call.
  class Waiting {
   public:
    Waiting(JobState& job, Wait wait);
    ~Waiting();
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    JobState& job_;
  };

  /// A collective that is only queued (on a GPU): counted, but nobody waits here.
  void count_collective();

  RankStatus& own() { return *own_; }

  /// This rank's group and the number of its ranks, on all nodes; at first the whole world is one group.
  void set_group(int group, int size);
  int group_size() const { return group_size_.load(std::memory_order_relaxed); }  ///< 0: not set

  std::vector<const RankStatus*> ranks() const;  ///< of this node
  void beat();

  /// True for the first rank of the node that asks: it is the one to report why the job ends.
  bool claim_report();
  bool is_reported() const;

  /// A stop signal that any rank of the node got. Lock-free: a signal handler may set it.
  std::atomic<std::uint32_t>& stop_flag();

  void set_fault(std::optional<Fault> fault) { fault_ = std::move(fault); }
  void reach(FaultPhase phase) {
    if (fault_) fault_->reach(phase);
  }

  /// Called inside a catch block, for a failure that the other ranks do not know of and before anything is destroyed (a
  /// communicator whose ranks wait for this one cannot be). With a watchdog it does not return.
  void report_failure_now() const {
    if (on_failure_) on_failure_();
  }
  void on_failure(std::function<void()> handler) { on_failure_ = std::move(handler); }

  /// What the watchdog does before it ends the job: ends collectives on GPUs that would wait for ever.
  int add_abort_hook(std::function<void()> hook);
  void remove_abort_hook(int id);
  void run_abort_hooks();

 private:
  struct Header {
    std::atomic<std::uint32_t> reported{0};
    std::atomic<std::uint32_t> stop{0};
  };
  Header& header() const;
  RankStatus* statuses() const;
  void tick();

  std::unique_ptr<SharedMemory> memory_;
  int size_;
  RankStatus* own_;
  std::atomic<int> group_size_{0};
  std::optional<Fault> fault_;
  std::mutex hooks_mutex_;
  std::map<int, std::function<void()>> hooks_;
  int next_hook_ = 0;
  std::function<void()> on_failure_;
};

}  // namespace specthink
