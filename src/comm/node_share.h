// What the ranks of a node share besides messages, the same in every group of a process.
#pragma once

#include <mpi.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "comm/shared_memory.h"
#include "specthink/comm/failure_report.h"
#include "specthink/comm/fault.h"
#include "specthink/comm/rank_board.h"

namespace specthink::inline comm {

class NodeShare {
  struct Flags {
    std::atomic<std::uint32_t> failure_claimed{0};
    std::atomic<std::uint32_t> stop{0};
  };
  static constexpr std::size_t kFlagBytes = alignof(RankStatus);  // what follows is aligned
  static_assert(sizeof(Flags) <= kFlagBytes);

  SharedMemory memory_;  // flags, then the table of the board

 public:
  /// Collective over `node`, the ranks of one node. Where they cannot share memory each has its own, and only the
  /// launcher notices that one of them is gone.
  static std::shared_ptr<NodeShare> create(MPI_Comm node, int world_rank);

  RankBoard board;
  FailureReport failure_report;
  std::atomic<std::uint32_t>& stop_flag;
  std::optional<Fault> fault;  // of this rank
  std::mutex fault_mutex;      // while models are loaded, two threads come to phases

 private:
  NodeShare(SharedMemory memory, int index, int ranks);
  Flags& flags() const;
};

}  // namespace specthink::inline comm
