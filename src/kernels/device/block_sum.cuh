// A sum over the threads of a block.
#pragma once

namespace specthink::inline kernels {

constexpr int kMaxBlockThreads = 1024;

/// On every thread; blocks are whole warps. Not twice without a barrier in between.
__device__ inline float block_sum(float value) {
  constexpr int kWarp = 32;
  constexpr unsigned kAllLanes = 0xffffffffu;
  __shared__ float sums[kMaxBlockThreads / kWarp];
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(kAllLanes, value, offset);
  if (threadIdx.x % kWarp == 0) sums[threadIdx.x / kWarp] = value;
  __syncthreads();
  const unsigned lane = threadIdx.x % kWarp;
  value = lane < blockDim.x / kWarp ? sums[lane] : 0.0f;
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(kAllLanes, value, offset);
  return value;
}

}  // namespace specthink::inline kernels
