// The ring of weights and activations in shared memory, and the warp that feeds it; used by kernel.cuh alone.
#pragma once

#include <cstdint>

#include "kernels/decode/linear/layout.h"
#include "kernels/decode/linear/linear.h"
#include "kernels/device/ptx.cuh"

namespace specthink::inline kernels {

struct Ring {
  std::uint32_t full;          // barriers: the stage's bytes have arrived, but for the first activations
  std::uint32_t empty;         // barriers: every consumer warp has read it
  std::uint32_t data;          // weights of the stages
  std::uint32_t x;             // activations of the stages
  std::uint32_t weight_bytes;  // of a stage
  std::uint32_t x_bytes;
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
  __device__ __forceinline__ void await() const { ptx::barrier_wait(full + slot * 8, phase); }
  __device__ __forceinline__ void await_first_activations() const { ptx::barrier_wait(full + kFirstXBarrier, 0); }
  __device__ __forceinline__ std::uint32_t stage() const { return data + slot * weight_bytes; }
  __device__ __forceinline__ std::uint32_t x_of_stage() const { return x + slot * x_bytes; }
};

/// `count` chunks of all rows of x, from `chunk` on.
template <WeightFormat kFormat, int kRows>
__device__ __forceinline__ void copy_activations(const LinearParams& p, int chunk, int count, std::uint32_t to,
                                                 std::uint32_t barrier) {
  constexpr int kBytes = kRows * x_row_bytes(kFormat);
  ptx::bulk_copy(to, static_cast<const char*>(p.x) + static_cast<std::size_t>(chunk) * kBytes, count * kBytes, barrier);
}

/// The activations of the stages that are filled first: their weights do not wait for the kernel before, and arrive at
/// a barrier of their own. One thread calls both; everybody who multiplies waits.
template <WeightFormat kFormat, int kRows>
struct FirstActivations {
  static constexpr int kBytesOfChunk = kRows * x_row_bytes(kFormat);
  std::uint32_t barrier, to;
  int chunks;

  /// `total`: chunks of the block.
  __device__ __forceinline__ FirstActivations(const Ring& ring, int total)
      : barrier(ring.full + kFirstXBarrier), to(ring.x), chunks(min(total, ring.stages)) {}

  /// While the kernel before may still run.
  __device__ __forceinline__ void expect() const {
    ptx::barrier_init(barrier, 1);
    ptx::barrier_init_fence();
    ptx::barrier_arrive_and_expect(barrier, chunks * kBytesOfChunk);
  }

  /// The kernel before has ended.
  __device__ __forceinline__ void copy(const LinearParams& p) const {
    ptx::proxy_fence_global();
    for (int first = 0; first < chunks; first += p.geometry.chunks) {
      const int count = min(p.geometry.chunks, chunks - first);
      copy_activations<kFormat, kRows>(p, 0, count, to + first * kBytesOfChunk, barrier);
    }
  }
};

/// Feeds the ring: chunk c of this block is chunk c % chunks of group first_group + c / chunks.
template <WeightFormat kFormat, int kRows, LinearInput kInput, LinearOutput kOutput>
__device__ __forceinline__ void produce(const LinearParams& p, Ring ring, int first_group, int total) {
  const LinearGeometry& geometry = p.geometry;
  const std::uint64_t policy = ptx::evict_first_policy();
  constexpr int kWordsOfChunk = kChunkRowBytes / 4;
  int word = 0;  // of the chunk's first column
  int row = first_group * geometry.group_rows;

  const auto copy_weights = [&](std::uint32_t bytes_of_stage) {
    const std::uint32_t barrier = ring.full + ring.slot * 8;
    ptx::barrier_arrive_and_expect(barrier, bytes_of_stage);
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

  const int first_fill = min(total, ring.stages);
  for (int i = 0; i < first_fill; ++i) {
    if (i >= geometry.first_copies) ptx::barrier_wait(ring.full + (i - geometry.first_copies) * 8, 0);
    copy_weights(ring.weight_bytes);
    ring.advance();
  }
  if constexpr (kInput != LinearInput::norm) {
    ptx::wait_for_predecessors();
    ptx::proxy_fence_global();
  }
  int x_chunk = first_fill % geometry.chunks;
  Ring arriving = ring;  // the stage that has been under way for as long as may be
  arriving.slot = first_fill - geometry.most_copies;
  arriving.phase = 0;
  // The ring has gone round once, so its phase is 1 here: the parity that the first release of a slot leaves is 0.
  for (int i = first_fill; i < total; ++i) {
    ptx::barrier_wait(ring.empty + ring.slot * 8, ring.phase ^ 1);
    arriving.await();
    arriving.advance();
    copy_weights(ring.weight_bytes + ring.x_bytes);
    if constexpr (kInput != LinearInput::norm) {
      copy_activations<kFormat, kRows>(p, x_chunk, 1, ring.x_of_stage(), ring.full + ring.slot * 8);
      if (++x_chunk == geometry.chunks) x_chunk = 0;
    }
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
