// The kernel of peer_all_reduce.h; CUDA builds only.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/exchange.h"
#include "specthink/kernels/element_type.h"

namespace specthink {

/// One all-reduce. There are two turns of buffers; calls alternate between them, so that a rank's next words cannot
/// overtake those that another has not read yet.
struct PeerAllReduceParams {
  void* data = nullptr;                     // in and out, `words` x 16 bytes
  std::int64_t words = 0;
  uint4* sent[kMaxExchangeRanks] = {};      // this rank's part of each rank's buffer; null for itself
  uint4* received[kMaxExchangeRanks] = {};  // each rank's part of this rank's buffer; kNotYet where nothing has arrived
  int rank = 0;
  int ranks = 1;
  SpinLimit limit;
};

void launch_peer_all_reduce(const PeerAllReduceParams& params, ElementType type, cudaStream_t stream);

}  // namespace specthink
