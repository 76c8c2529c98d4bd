#include "comm/node_share.h"

#include <new>
#include <utility>

#include "comm/check_mpi.h"

namespace specthink::inline comm {

std::shared_ptr<NodeShare> NodeShare::create(MPI_Comm node, int world_rank) {
  int index = 0;
  int ranks = 1;
  MPI_Comm_rank(node, &index);
  MPI_Comm_size(node, &ranks);
  std::optional<SharedMemory> memory = SharedMemory::share(node, kFlagBytes + RankBoard::bytes_for(ranks));
  if (!memory) {
    memory.emplace(SharedMemory::make_private(kFlagBytes + RankBoard::bytes_for(1)));
    index = 0;
    ranks = 1;
  }
  std::shared_ptr<NodeShare> result(new NodeShare(std::move(*memory), index, ranks));
  result->board.set_rank(world_rank);
  return result;
}

NodeShare::NodeShare(SharedMemory memory, int index, int ranks)
    : memory_(std::move(memory)),
      board(static_cast<std::byte*>(memory_.data()) + kFlagBytes, index, ranks),
      failure_report(flags().failure_claimed),
      stop_flag(flags().stop) {}

// Atomics of zeros are valid: the memory needs no construction that one process would do for the others.
NodeShare::Flags& NodeShare::flags() const { return *std::launder(static_cast<Flags*>(memory_.data())); }

}  // namespace specthink::inline comm
