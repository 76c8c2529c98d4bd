// The linear layer of a short prefill (linear_device.h), for linear.cu and linear_float8.cu.
#pragma once

#include "kernels/device/hopper.cuh"
#include "kernels/device/kernel_launch.cuh"
#include "kernels/device/ptx.cuh"
#include "kernels/device/wgmma.cuh"
#include "kernels/prefill/linear_convert.cuh"
#include "kernels/prefill/linear_device.h"
#include "kernels/prefill/linear_ring.cuh"
#include "kernels/prefill/linear_store.cuh"

namespace specthink::inline kernels {
namespace {

constexpr int kConvertedBarrier = 1;

/// sums += x · Wᵀ of one stage, x and the weights as panels. The product runs on behind this thread's back.
template <typename T, int kWidth>
__device__ __forceinline__ void multiply_stage(std::uint32_t x, std::uint32_t weights, float (&sums)[kWidth / 2]) {
  ptx::pin(sums);
  ptx::product_fence();
#pragma unroll
  for (int k = 0; k < kLinearTileK / 16; ++k) {
    ptx::multiply_panels<T>(sums, ptx::panel_descriptor(x + k * 32), ptx::panel_descriptor(weights + k * 32), true);
  }
  ptx::product_commit();
}

/// sums[64 rows of x, kWidth] += x · Wᵀ over the share's chunks; nothing for a warpgroup without rows.
template <typename T, int kWidth, int kSplits>
__device__ __forceinline__ void multiply(const Share& share, Ring<WeightFormat::elements, kWidth, kSplits>& ring,
                                         int group, bool has_rows, float (&sums)[kWidth / 2]) {
  const bool releases = threadIdx.x % 32 == 0;
  int before = -1;  // the slot that is being multiplied
  for (int i = 0; i < share.chunks; ++i) {
    ptx::barrier_wait(ring.full(ring.slot), ring.phase);
    if (has_rows) {
      multiply_stage<T, kWidth>(ring.x_of(ring.slot) + group * kGroupRows * ptx::kPanelRowBytes, ring.stage(ring.slot),
                                sums);
      ptx::product_wait<1>();
    }
    if (before >= 0 && releases) ptx::barrier_arrive(ring.empty(before));
    before = ring.slot;
    ring.advance();
  }
  ptx::product_wait<0>();
  ptx::pin(sums);
  if (before >= 0 && releases) ptx::barrier_arrive(ring.empty(before));
}

/// The same of 8-bit weights: all consumers convert a stage while the one before is multiplied. `panel`: that the next
/// stage is converted into.
template <typename T, int kWidth, int kSplits>
__device__ __forceinline__ void multiply(const Share& share, Ring<WeightFormat::float8, kWidth, kSplits>& ring,
                                         int group, bool has_rows, Converter<T, kWidth>& converter, int& panel,
                                         float (&sums)[kWidth / 2]) {
  const bool releases = threadIdx.x % 32 == 0;
  int before = -1;  // the slot whose x is being multiplied
  for (int i = 0; i < share.chunks; ++i) {
    ptx::barrier_wait(ring.full(ring.slot), ring.phase);
    converter.convert(ring.stage(ring.slot), ring.converted(panel));
    // Behind the barrier nobody multiplies the stage before any more, so that its panel may be written again.
    ptx::product_wait<0>();
    if (before >= 0 && releases) ptx::barrier_arrive(ring.empty(before));
    ptx::proxy_fence_shared();
    ptx::named_barrier_sync<kConsumers>(kConvertedBarrier);
    if (has_rows) {
      multiply_stage<T, kWidth>(ring.x_of(ring.slot) + group * kGroupRows * ptx::kPanelRowBytes, ring.converted(panel),
                                sums);
    }
    panel ^= 1;
    before = ring.slot;
    ring.advance();
  }
  ptx::product_wait<0>();
  ptx::pin(sums);
  if (before >= 0 && releases) ptx::barrier_arrive(ring.empty(before));
}

template <typename T, int kWidth>
__device__ __forceinline__ void store_tile(const PrefillLinearParams& p, int tile, const float (&sums)[kWidth / 2]) {
  const FragmentPosition at;
  if (p.gated) {
    constexpr int kHalf = kWidth / 4;  // sums of the gates, then of the others
    store_vectors<T, kWidth / 16>(p, at, tile * (kWidth / 2), [&](int v) {
      const int i = 4 * v;
      return float4{gate<T>(sums[i], sums[kHalf + i]), gate<T>(sums[i + 1], sums[kHalf + i + 1]),
                    gate<T>(sums[i + 2], sums[kHalf + i + 2]), gate<T>(sums[i + 3], sums[kHalf + i + 3])};
    });
  } else {
    store_vectors<T, kWidth / 8>(p, at, tile * kWidth, [&](int v) {
      return float4{sums[4 * v], sums[4 * v + 1], sums[4 * v + 2], sums[4 * v + 3]};
    });
  }
}

/// Each block of the cluster adds up and stores one part of the tile's columns: it sends the others their parts of its
/// sums, and waits for theirs of its own. Inbox: [splits - 1][vectors of a part][thread].
template <typename T, WeightFormat kFormat, int kWidth, int kSplits>
__device__ __forceinline__ void store_part(const PrefillLinearParams& p, int tile, int part, bool has_rows,
                                           const Ring<kFormat, kWidth, kSplits>& ring, const float4* inbox,
                                           const float (&sums)[kWidth / 2]) {
  constexpr int kPartVectors = Layout<kFormat, kWidth, kSplits>::kPartVectors;
  const auto inbox_slot_of = [](int from, int vector) {
    return (from * kPartVectors + vector) * kConsumers + static_cast<int>(threadIdx.x);
  };
  if (!has_rows) return;
  const std::uint32_t address = ring.barriers + Layout<kFormat, kWidth, kSplits>::kInbox;
#pragma unroll
  for (int v = 0; v < Layout<kFormat, kWidth, kSplits>::kVectors; ++v) {
    const int to = v / kPartVectors;
    if (to == part) continue;
    const int inbox_slot = inbox_slot_of(part < to ? part : part - 1, v % kPartVectors);
    ptx::store_cluster_async(address + inbox_slot * static_cast<int>(sizeof(float4)), to,
                             float4{sums[4 * v], sums[4 * v + 1], sums[4 * v + 2], sums[4 * v + 3]},
                             ring.inbox_there());
  }
  ptx::barrier_wait(ring.inbox_there(), 0);
  const FragmentPosition at;
#pragma unroll
  for (int to = 0; to < kSplits; ++to) {
    if (to != part) continue;
    store_vectors<T, kPartVectors>(p, at, tile * kWidth + 8 * to * kPartVectors, [&](int vector) {
      float4 sum{0, 0, 0, 0};
#pragma unroll
      for (int from = 0; from < kSplits; ++from) {  // in the same order in every block
        const int v = 4 * (to * kPartVectors + vector);
        const float4 other = from == to ? float4{sums[v], sums[v + 1], sums[v + 2], sums[v + 3]}
                                        : inbox[inbox_slot_of(from < to ? from : from - 1, vector)];
        sum.x += other.x;
        sum.y += other.y;
        sum.z += other.z;
        sum.w += other.w;
      }
      return sum;
    });
  }
}

template <WeightFormat kFormat, typename T, int kWidth, int kSplits>
__global__ void __launch_bounds__(kThreads, 1) prefill_linear(const __grid_constant__ PrefillLinearParams p) {
#if SPECTHINK_WGMMA_CODE
  using Shape = Layout<kFormat, kWidth, kSplits>;
  extern __shared__ __align__(1024) unsigned char shared[];
  Ring<kFormat, kWidth, kSplits> ring(shared);
  const int part = kSplits > 1 ? static_cast<int>(ptx::cluster_block_rank()) : 0;
  const Share share(p, kSplits, part);

  if (threadIdx.x == kConsumers) {
    ptx::prefetch_tensor_map(&p.weights);
    ptx::prefetch_tensor_map(&p.x);
    for (int i = 0; i < Shape::kStages; ++i) {
      ptx::barrier_init(ring.full(i), 1);
      ptx::barrier_init(ring.empty(i), kConsumers / 32);
    }
    if constexpr (kSplits > 1) ptx::barrier_init(ring.inbox_there(), 1);
    ptx::barrier_init_fence();
    if constexpr (kSplits > 1) {
      const int groups = p.rows > kGroupRows ? kGroups : 1;  // that send, in each block
      ptx::barrier_arrive_and_expect(ring.inbox_there(), Shape::kInboxBytes / kGroups * groups);
    }
  }
  __syncthreads();
  if constexpr (kSplits > 1) ptx::cluster_arrive();
  ptx::launch_dependents();

  const auto wait_for_cluster = [] {
    if constexpr (kSplits > 1) ptx::cluster_wait();  // the others' barriers are set up, as has been long ago
  };
  if (threadIdx.x >= kConsumers) {
    if (threadIdx.x == kConsumers) produce(p, share, ring);
    __syncwarp();
    wait_for_cluster();
    return;
  }

  float sums[kWidth / 2];
  const int group = static_cast<int>(threadIdx.x) / kGroupThreads;
  const bool has_rows = group * kGroupRows < p.rows;
  const auto each_tile = [&](const auto& multiply_tile) {
    ptx::wait_for_predecessors();
    for (int turn = 0; turn < share.tiles; ++turn) {
#pragma unroll
      for (float& sum : sums) sum = 0;
      multiply_tile();
      if constexpr (kSplits == 1) {
        if (has_rows) store_tile<T, kWidth>(p, share.first_tile + turn * share.tile_step, sums);
      }
    }
  };
  if constexpr (kFormat == WeightFormat::float8) {
    Converter<T, kWidth> converter(p, share);
    int panel = 0;
    each_tile([&] { multiply<T, kWidth, kSplits>(share, ring, group, has_rows, converter, panel, sums); });
  } else {
    each_tile([&] { multiply<T, kWidth, kSplits>(share, ring, group, has_rows, sums); });
  }
  wait_for_cluster();
  if constexpr (kSplits > 1) {
    store_part<T>(p, share.first_tile, part, has_rows, ring, reinterpret_cast<const float4*>(shared + Shape::kInbox),
                  sums);
  }
#endif
}

template <WeightFormat kFormat, typename T, int kWidth, int kSplits>
auto configured_kernel() {
  const auto kernel = prefill_linear<kFormat, T, kWidth, kSplits>;
  static const bool configured = [&] {
    allow_large_shared_memory(kernel, "prefill_linear");
    return true;
  }();
  (void)configured;
  return kernel;
}

template <WeightFormat kFormat, typename T, int kWidth, int kSplits>
void launch_kernel_of(const PrefillLinearParams& params, cudaStream_t stream) {
  const LaunchShape shape{dim3(static_cast<unsigned>(params.plan.clusters * kSplits)), kThreads,
                          Layout<kFormat, kWidth, kSplits>::kBytes, kSplits, params.dependent};
  launch_kernel("prefill_linear", configured_kernel<kFormat, T, kWidth, kSplits>(), shape, stream, params);
}

template <WeightFormat kFormat, typename T, int kWidth = kLeastLinearWidth>
void launch(const PrefillLinearParams& params, cudaStream_t stream) {
  if (params.plan.width != kWidth) {
    if constexpr (kWidth < kLargestLinearWidth) return launch<kFormat, T, kWidth + kLinearWidthStep>(params, stream);
    fail_launch("prefill_linear", "no kernel of this width");
  }
  if (params.plan.splits == 1) return launch_kernel_of<kFormat, T, kWidth, 1>(params, stream);
  if constexpr (kWidth <= kLargestSplitWidth) {
    if (params.plan.splits == 2) return launch_kernel_of<kFormat, T, kWidth, 2>(params, stream);
    if constexpr (kWidth % 32 == 0) {
      if (params.plan.splits == 4) return launch_kernel_of<kFormat, T, kWidth, 4>(params, stream);
    }
  }
  fail_launch("prefill_linear", "no kernel of so many splits");
}

template <WeightFormat kFormat>
void launch_of_format(const PrefillLinearParams& params, ElementType type, cudaStream_t stream) {
  if (type == ElementType::bfloat16) {
    launch<kFormat, __nv_bfloat16>(params, stream);
  } else {
    launch<kFormat, __half>(params, stream);
  }
}

}  // namespace
}  // namespace specthink::inline kernels
