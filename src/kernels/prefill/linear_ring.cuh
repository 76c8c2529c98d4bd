// How a block of a short prefill's linear layer divides its shared memory, and the thread that fills it.
#pragma once

#include <cstdint>

#include "kernels/device/ptx.cuh"
#include "kernels/device/weight_format.h"
#include "kernels/device/wgmma.cuh"
#include "kernels/prefill/linear_device.h"
#include "kernels/prefill/linear_store.cuh"

namespace specthink::inline kernels {
namespace {

constexpr int kConsumers = kGroups * kGroupThreads;
constexpr int kThreads = kConsumers + 32;
constexpr int kBarrierBytes = 1024;
constexpr int kPanelOfX = kLinearTileRows * ptx::kPanelRowBytes;
/// A small kernel can run beside a block of this one.
constexpr int kSharedBytes = 218 * 1024;
static_assert(kLinearTileK == ptx::kPanelColumns);

/// The barriers, panels that 8-bit weights are converted into, the ring's stages, then what the other blocks of the
/// cluster send.
template <WeightFormat kFormat, int kWidth, int kSplits>
struct Layout {
  static constexpr int kPanelBytes = kWidth * ptx::kPanelRowBytes;  // of weights of 16 bits
  static constexpr int kWeightBytes = kFormat == WeightFormat::float8 ? kPanelBytes / 2 : kPanelBytes;
  static constexpr int kStageBytes = kWeightBytes + kPanelOfX;
  static constexpr int kConverted = kBarrierBytes;  // one panel is multiplied while the other is written
  static constexpr int kRing = kConverted + (kFormat == WeightFormat::float8 ? 2 * kPanelBytes : 0);
  /// Four sums each, of a thread; the block adds up one part of them.
  static constexpr int kVectors = kWidth / 8;
  static constexpr int kPartVectors = kVectors / kSplits;
  static constexpr int kInboxBytes = (kSplits - 1) * kPartVectors * kConsumers * static_cast<int>(sizeof(float4));
  static constexpr int kStages = (kSharedBytes - kRing - kInboxBytes) / kStageBytes;
  static constexpr int kInbox = kRing + kStages * kStageBytes;
  static constexpr int kBytes = kInbox + kInboxBytes;
  static_assert(kStages >= 3 && 16 * kStages + 8 <= kBarrierBytes);
};

/// The barriers of a stage: full when its bytes have arrived, empty when every warp has multiplied them.
template <WeightFormat kFormat, int kWidth, int kSplits>
struct Ring {
  using Shape = Layout<kFormat, kWidth, kSplits>;
  std::uint32_t barriers;  // kStages full ones, as many empty ones, then that of the inbox
  std::uint32_t data;
  int slot = 0;
  std::uint32_t phase = 0;

  __device__ __forceinline__ explicit Ring(unsigned char* shared)
      : barriers(ptx::shared_address(shared)), data(barriers + Shape::kRing) {}
  __device__ __forceinline__ std::uint32_t full(int at) const { return barriers + at * 8; }
  __device__ __forceinline__ std::uint32_t empty(int at) const { return barriers + (Shape::kStages + at) * 8; }
  __device__ __forceinline__ std::uint32_t inbox_there() const { return barriers + 2 * Shape::kStages * 8; }
  __device__ __forceinline__ std::uint32_t stage(int at) const { return data + at * Shape::kStageBytes; }
  __device__ __forceinline__ std::uint32_t x_of(int at) const { return stage(at) + Shape::kWeightBytes; }
  __device__ __forceinline__ std::uint32_t converted(int panel) const {
    return barriers + Shape::kConverted + panel * Shape::kPanelBytes;
  }
  __device__ __forceinline__ void advance() {
    if (++slot == Shape::kStages) {
      slot = 0;
      phase ^= 1;
    }
  }
};

/// What a block multiplies: chunks of k of its tiles.
struct Share {
  int first_tile, tile_step, tiles;
  int first_chunk, chunks;

  __device__ __forceinline__ Share(const PrefillLinearParams& p, int splits, int part) {
    const int all_chunks = (p.k + kLinearTileK - 1) / kLinearTileK;
    first_tile = static_cast<int>(blockIdx.x) / splits;
    tile_step = p.plan.clusters;
    tiles = (p.plan.tiles - first_tile + tile_step - 1) / tile_step;
    first_chunk = part * all_chunks / splits;
    chunks = (part + 1) * all_chunks / splits - first_chunk;
  }
};

/// One thread: fills the ring.
template <WeightFormat kFormat, int kWidth, int kSplits>
__device__ __forceinline__ void produce(const PrefillLinearParams& p, const Share& share,
                                        Ring<kFormat, kWidth, kSplits> ring) {
  using Shape = Layout<kFormat, kWidth, kSplits>;
  constexpr int kStages = Shape::kStages;
  const std::uint64_t policy = ptx::evict_first_policy();
  const int total = share.tiles * share.chunks;
  const auto bytes = static_cast<std::uint32_t>(Shape::kWeightBytes + p.box_rows * ptx::kPanelRowBytes);
  int tile = share.first_tile;
  int chunk = 0;
  const auto copy_weights = [&] {
    const std::uint32_t barrier = ring.full(ring.slot);
    const std::uint32_t to = ring.stage(ring.slot);
    const int column = (share.first_chunk + chunk) * kLinearTileK;
    ptx::barrier_arrive_and_expect(barrier, bytes);
    if (p.gated) {
      constexpr int kHalf = kWidth / 2;
      ptx::bulk_copy_box(to, &p.weights, column, tile * kHalf, barrier, policy);
      ptx::bulk_copy_box(to + Shape::kWeightBytes / 2, &p.weights, column, p.outputs + tile * kHalf, barrier, policy);
    } else {
      ptx::bulk_copy_box(to, &p.weights, column, tile * kWidth, barrier, policy);
    }
    if (++chunk == share.chunks) {
      chunk = 0;
      tile += share.tile_step;
    }
  };
  int x_chunk = 0;
  const auto copy_x = [&](int slot) {
    ptx::bulk_copy_box(ring.x_of(slot), &p.x, (share.first_chunk + x_chunk) * kLinearTileK, 0, ring.full(slot));
    if (++x_chunk == share.chunks) x_chunk = 0;
  };

  const int first_fill = min(total, kStages);
  for (int i = 0; i < first_fill; ++i) {
    copy_weights();
    ring.advance();
  }
  ptx::wait_for_predecessors();
  ptx::proxy_fence_global();
  for (int i = 0; i < first_fill; ++i) copy_x(i);
  // The ring has gone round once, so phase is 1 here: the parity that the first release of a slot leaves is 0.
  for (int i = first_fill; i < total; ++i) {
    ptx::barrier_wait(ring.empty(ring.slot), ring.phase ^ 1);
    const int slot = ring.slot;
    copy_weights();
    copy_x(slot);
    ring.advance();
  }
}

}  // namespace
}  // namespace specthink::inline kernels
