// The ring of weights and activations in shared memory, and the warp that feeds it; used by kernel.cuh alone.
#pragma once

#include <cstdint>

#include "kernels/decode/linear/layout.h"
#include "kernels/decode/linear/linear.h"
#include "kernels/device/ptx.cuh"

namespace specthink::inline kernels {

struct Ring {
  std::uint32_t full;   // barriers: the stage's bytes have arrived
  std::uint32_t empty;  // barriers: every consumer warp has read it
  std::uint32_t data;
  std::uint32_t stage_bytes;
  int stages;
  int refills;  // stages that the producer fills again, and waits for
  int slot = 0;
  std::uint32_t phase = 0;

  __device__ __forceinline__ void advance() {
    if (++slot == stages) {
      slot = 0;
      phase ^= 1;
    }
  }
  /// A consumer warp gives the stage back and goes on to the next. `used`: computed from all that was loaded of it.
  /// Nobody waits for the last ones, nor for any of a small model's, whose weights all fit the ring.
  __device__ __forceinline__ void release(std::uint32_t used) {
    if (refills > 0) {
      --refills;
      __syncwarp();
      if (threadIdx.x % 32 == 0) ptx::barrier_arrive_after(empty + slot * 8, used);
    }
    advance();
  }
  __device__ __forceinline__ std::uint32_t stage() const { return data + slot * stage_bytes; }
};

/// Feeds the ring: chunk c of this block is chunk c % chunks of group first_group + c / chunks.
template <WeightFormat kFormat, int kRows, LinearInput kInput, LinearOutput kOutput>
__device__ __forceinline__ void produce(const LinearParams& p, Ring ring, int first_group, int total) {
  const LinearGeometry& geometry = p.geometry;
  const int weight_rows = weight_rows_of(kOutput, geometry.group_rows);
  const std::uint32_t weight_bytes = static_cast<std::uint32_t>(weight_rows) * kChunkRowBytes;
  const std::uint64_t policy = ptx::evict_first_policy();
  constexpr int kWordsOfChunk = kChunkRowBytes / 4;
  int word = 0;  // of the chunk's first column
  int row = first_group * geometry.group_rows;

  const auto copy_weights = [&] {
    const std::uint32_t barrier = ring.full + ring.slot * 8;
    ptx::barrier_arrive_and_expect(barrier, ring.stage_bytes);
    ptx::bulk_copy_box(ring.stage(), &p.weights, word, row, barrier, policy);
    if constexpr (kOutput == LinearOutput::swiglu) {
      ptx::bulk_copy_box(ring.stage() + geometry.group_rows * kChunkRowBytes, &p.weights, word,
                         row + static_cast<int>(p.rows), barrier, policy);
    }
    word += kWordsOfChunk;
    if (word == geometry.chunks * kWordsOfChunk) {
      word = 0;
      row += geometry.group_rows;
    }
  };
  constexpr int kBytesOfX = kRows * x_row_bytes(kFormat);
  const char* const x = static_cast<const char*>(p.x);
  int x_chunk = 0;
  const auto copy_activations = [&](int slot) {
    ptx::bulk_copy(ring.data + slot * ring.stage_bytes + weight_bytes,
                   x + static_cast<std::size_t>(x_chunk) * kBytesOfX, kBytesOfX, ring.full + slot * 8);
    if (++x_chunk == geometry.chunks) x_chunk = 0;
  };

  const int first_fill = min(total, ring.stages);
  for (int i = 0; i < first_fill; ++i) {
    copy_weights();
    ring.advance();
  }
  if constexpr (kInput != LinearInput::norm) {
    ptx::wait_for_predecessors();
    ptx::proxy_fence_global();
    for (int i = 0; i < first_fill; ++i) copy_activations(i);
  }
  // The ring has gone round once, so phase is 1 here: the parity that the first release of a slot leaves is 0.
  for (int i = first_fill; i < total; ++i) {
    ptx::barrier_wait(ring.empty + ring.slot * 8, ring.phase ^ 1);
    copy_weights();
    if constexpr (kInput != LinearInput::norm) copy_activations(ring.slot);
    ring.advance();
  }
}

/// The producer warp: sets up the ring and feeds it, by its first lane.
template <WeightFormat kFormat, int kRows, LinearInput kInput, LinearOutput kOutput>
__device__ __forceinline__ void run_producer(const LinearParams& p, const Ring& ring, int lane, int first_group,
                                             int total) {
  if (lane == 0) {
    ptx::prefetch_tensor_map(&p.weights);
    for (int i = 0; i < ring.stages; ++i) {
      ptx::barrier_init(ring.full + i * 8, 1);
      ptx::barrier_init(ring.empty + i * 8, kConsumerWarps);
    }
    ptx::barrier_init_fence();
  }
  __syncwarp();
  ptx::named_barrier_arrive<kThreads>(kReadyBarrier);
  if (lane == 0) produce<kFormat, kRows, kInput, kOutput>(p, ring, first_group, total);
  __syncwarp();
  ptx::wait_for_predecessors();
}

}  // namespace specthink::inline kernels
