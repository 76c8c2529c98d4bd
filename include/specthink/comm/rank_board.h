// The table in which each rank of a node publishes its status, so that the others can tell what became of it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "specthink/comm/rank_status.h"

namespace specthink::inline comm {

class RankBoard {
 public:
  static std::size_t bytes_for(int ranks);

  /// `table` holds bytes_for(ranks) zeros, which the ranks of the node share, and outlives the board. This process has
  /// the row `index` of it.
  RankBoard(std::byte* table, int index, int ranks);
  RankBoard(const RankBoard&) = delete;
  RankBoard& operator=(const RankBoard&) = delete;

  /// This rank now does something else, or has got on with it. Costs some 20 ns.
  void publish(Phase phase, std::int64_t detail = 0);

  /// This rank waits for others from now on, until end_wait().
  void begin_wait(Wait wait);
  void end_wait();

  /// A collective that is only queued (on a GPU): nobody waits here.
  void count_collective();

  /// This rank's process runs; called at regular times by a thread of its own.
  void beat();

  /// This rank's group of tensor parallelism and the number of its ranks, on all nodes; at first the whole world is one
  /// group.
  void set_group(int group, int size);
  int group() const { return own_->group.load(std::memory_order_relaxed); }
  int group_size() const { return group_size_.load(std::memory_order_relaxed); }  ///< 0: not set

  void set_rank(int rank) { own_->rank.store(rank, std::memory_order_relaxed); }  ///< in the world

  const RankStatus& own() const { return *own_; }
  std::vector<const RankStatus*> ranks() const;  ///< of this node

 private:
  void progress();

  RankStatus* table_;
  int size_;
  RankStatus* own_;
  std::atomic<int> group_size_{0};
};

}  // namespace specthink::inline comm
