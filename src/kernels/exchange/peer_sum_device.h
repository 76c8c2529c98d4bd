// The kernel of PeerSum; CUDA builds only, without fmt for .cu files.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/decode/linear/linear.h"
#include "kernels/exchange/exchange.h"

namespace specthink::inline kernels {

constexpr int kMaxPeerSumRanks = 4;

/// A rank's word that says how many partial sums it has finished, in a line of its own.
constexpr int kSignalStride = 32;  // words

struct PeerSumParams {
  const void* partials[kMaxPeerSumRanks] = {};   ///< of each rank, [rows, hidden]
  const std::uint32_t* arrived = nullptr;        ///< of each rank, kSignalStride apart, on this GPU
  std::uint32_t* signal[kMaxPeerSumRanks] = {};  ///< this rank's word on each GPU
  std::uint32_t sequence = 0;                    ///< number of this sum
  std::uint32_t* gave_up = nullptr;              ///< host memory, set to 1 with limit.failed
  SpinLimit limit;
  int rank = 0;
  int ranks = 0;
  bool adds = true;              ///< to the residual; false: replaces it
  void* residual = nullptr;      ///< [rows, hidden], as output
  const void* bias = nullptr;    ///< [hidden] or null
  const void* weight = nullptr;  ///< [hidden]
  void* output = nullptr;
  int rows = 0;
  int hidden = 0;  ///< a multiple of 8, at most kMaxPeerSumHidden
  float eps = 0;
};

constexpr int kMaxPeerSumHidden = 1024 * 8 * 4;

void launch_peer_sum(const PeerSumParams& params, ElementType type, cudaStream_t stream);

}  // namespace specthink::inline kernels
