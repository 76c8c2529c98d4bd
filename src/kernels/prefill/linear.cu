#include <algorithm>

#include "kernels/device/hopper.cuh"
#include "kernels/device/hopper.h"
#include "kernels/device/kernel_launch.cuh"
#include "kernels/device/ptx.cuh"
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

/// The barriers, the ring's stages, then what the other blocks of the cluster send.
template <int kWidth, int kSplits>
struct Layout {
  static constexpr int kStageBytes = kWidth * ptx::kPanelRowBytes + kPanelOfX;  // weights, then x
  /// Four sums each, of a thread; the block adds up one part of them.
  static constexpr int kVectors = kWidth / 8;
  static constexpr int kPartVectors = kVectors / kSplits;
  static constexpr int kInboxBytes = (kSplits - 1) * kPartVectors * kConsumers * static_cast<int>(sizeof(float4));
  static constexpr int kStages = (kSharedBytes - kBarrierBytes - kInboxBytes) / kStageBytes;
  static constexpr int kInbox = kBarrierBytes + kStages * kStageBytes;
  static constexpr int kBytes = kInbox + kInboxBytes;
  static_assert(kStages >= 3 && 16 * kStages + 8 <= kBarrierBytes);
};

/// The barriers of a stage: full when its bytes have arrived, empty when every warp has multiplied them.
template <int kWidth, int kSplits>
struct Ring {
  using Shape = Layout<kWidth, kSplits>;
  std::uint32_t barriers;  // kStages full ones, as many empty ones, then that of the inbox
  std::uint32_t data;
  int slot = 0;
  std::uint32_t phase = 0;

  __device__ __forceinline__ explicit Ring(unsigned char* shared)
      : barriers(ptx::shared_address(shared)), data(barriers + kBarrierBytes) {}
  __device__ __forceinline__ std::uint32_t full(int at) const { return barriers + at * 8; }
  __device__ __forceinline__ std::uint32_t empty(int at) const { return barriers + (Shape::kStages + at) * 8; }
  __device__ __forceinline__ std::uint32_t inbox_there() const { return barriers + 2 * Shape::kStages * 8; }
  __device__ __forceinline__ std::uint32_t stage(int at) const { return data + at * Shape::kStageBytes; }
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
template <int kWidth, int kSplits>
__device__ __forceinline__ void produce(const PrefillLinearParams& p, const Share& share, Ring<kWidth, kSplits> ring) {
  constexpr int kStages = Layout<kWidth, kSplits>::kStages;
  const std::uint64_t policy = ptx::evict_first_policy();
  const int total = share.tiles * share.chunks;
  const auto bytes = static_cast<std::uint32_t>((kWidth + p.box_rows) * ptx::kPanelRowBytes);
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
      ptx::bulk_copy_box(to + kHalf * ptx::kPanelRowBytes, &p.weights, column, p.outputs + tile * kHalf, barrier,
                         policy);
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
    ptx::bulk_copy_box(ring.stage(slot) + kWidth * ptx::kPanelRowBytes, &p.x,
                       (share.first_chunk + x_chunk) * kLinearTileK, 0, ring.full(slot));
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

/// sums[64 rows of x, kWidth] += x · Wᵀ over the share's chunks; nothing for a warpgroup without rows.
template <typename T, int kWidth, int kSplits>
__device__ __forceinline__ void multiply(const Share& share, Ring<kWidth, kSplits>& ring, int group, bool has_rows,
                                         float (&sums)[kWidth / 2]) {
  const bool releases = threadIdx.x % 32 == 0;
  int before = -1;  // the slot of the linear layers that are running
  for (int i = 0; i < share.chunks; ++i) {
    ptx::barrier_wait(ring.full(ring.slot), ring.phase);
    if (has_rows) {
      const std::uint32_t weights = ring.stage(ring.slot);
      const std::uint32_t x = weights + kWidth * ptx::kPanelRowBytes + group * kGroupRows * ptx::kPanelRowBytes;
      ptx::pin(sums);
      ptx::product_fence();
#pragma unroll
      for (int k = 0; k < kLinearTileK / 16; ++k) {
        ptx::multiply_panels<T>(sums, ptx::panel_descriptor(x + k * 32), ptx::panel_descriptor(weights + k * 32), true);
      }
      ptx::product_commit();
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
template <typename T, int kWidth, int kSplits>
__device__ __forceinline__ void store_part(const PrefillLinearParams& p, int tile, int part, bool has_rows,
                                           const Ring<kWidth, kSplits>& ring, const float4* inbox,
                                           const float (&sums)[kWidth / 2]) {
  constexpr int kPartVectors = Layout<kWidth, kSplits>::kPartVectors;
  const auto inbox_slot_of = [](int from, int vector) {
    return (from * kPartVectors + vector) * kConsumers + static_cast<int>(threadIdx.x);
  };
  if (!has_rows) return;
  const std::uint32_t address = ring.barriers + Layout<kWidth, kSplits>::kInbox;
#pragma unroll
  for (int v = 0; v < Layout<kWidth, kSplits>::kVectors; ++v) {
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

template <typename T, int kWidth, int kSplits>
__global__ void __launch_bounds__(kThreads, 1) prefill_linear(const __grid_constant__ PrefillLinearParams p) {
#if SPECTHINK_WGMMA_CODE
  using Shape = Layout<kWidth, kSplits>;
  extern __shared__ __align__(1024) unsigned char shared[];
  Ring<kWidth, kSplits> ring(shared);
  const int part = kSplits > 1 ? static_cast<int>(ptx::cluster_block_rank()) : 0;
  const Share share(p, kSplits, part);
  const bool consumer = threadIdx.x < kConsumers;

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

  float sums[kWidth / 2];
  const int group = static_cast<int>(threadIdx.x) / kGroupThreads;
  const bool has_rows = group * kGroupRows < p.rows;
  if (consumer) {
    ptx::wait_for_predecessors();
    for (int turn = 0; turn < share.tiles; ++turn) {
#pragma unroll
      for (float& sum : sums) sum = 0;
      multiply<T, kWidth, kSplits>(share, ring, group, has_rows, sums);
      if constexpr (kSplits == 1) {
        if (has_rows) store_tile<T, kWidth>(p, share.first_tile + turn * share.tile_step, sums);
      }
    }
  } else {
    if (threadIdx.x == kConsumers) produce<kWidth, kSplits>(p, share, ring);
    __syncwarp();
  }
  if constexpr (kSplits > 1) {
    ptx::cluster_wait();  // the others' barriers are set up, as has been long ago
    if (consumer) {
      store_part<T, kWidth, kSplits>(p, share.first_tile, part, has_rows, ring,
                                     reinterpret_cast<const float4*>(shared + Shape::kInbox), sums);
    }
  }
#endif
}

template <typename T, int kWidth, int kSplits>
auto configured_kernel() {
  const auto kernel = prefill_linear<T, kWidth, kSplits>;
  static const bool configured = [&] {
    allow_large_shared_memory(kernel, "prefill_linear");
    return true;
  }();
  (void)configured;
  return kernel;
}

template <typename T, int kWidth, int kSplits>
void launch_kernel_of(const PrefillLinearParams& params, cudaStream_t stream) {
  const LaunchShape shape{dim3(static_cast<unsigned>(params.plan.clusters * kSplits)), kThreads,
                          Layout<kWidth, kSplits>::kBytes, kSplits, params.dependent};
  launch_kernel("prefill_linear", configured_kernel<T, kWidth, kSplits>(), shape, stream, params);
}

template <typename T, int kWidth>
void launch(const PrefillLinearParams& params, cudaStream_t stream) {
  if (params.plan.width != kWidth) {
    if constexpr (kWidth < kLargestLinearWidth) return launch<T, kWidth + kLinearWidthStep>(params, stream);
    fail_launch("prefill_linear", "no kernel of this width");
  }
  if (params.plan.splits == 1) return launch_kernel_of<T, kWidth, 1>(params, stream);
  if constexpr (kWidth <= kLargestSplitWidth) {
    if (params.plan.splits == 2) return launch_kernel_of<T, kWidth, 2>(params, stream);
    if constexpr (kWidth % 32 == 0) {
      if (params.plan.splits == 4) return launch_kernel_of<T, kWidth, 4>(params, stream);
    }
  }
  fail_launch("prefill_linear", "no kernel of so many splits");
}

int most_clusters(int blocks) {
  cudaLaunchConfig_t config{};
  config.gridDim = static_cast<unsigned>(blocks);
  config.blockDim = kThreads;
  config.dynamicSmemBytes = kSharedBytes;
  cudaLaunchAttribute attribute;
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim = {static_cast<unsigned>(blocks), 1, 1};
  config.attrs = &attribute;
  config.numAttrs = 1;
  int clusters = 0;
  const cudaError_t status =
      cudaOccupancyMaxActiveClusters(&clusters, configured_kernel<__nv_bfloat16, kLeastLinearWidth, 2>(), &config);
  cudaGetLastError();  // a refusal is an answer
  return status == cudaSuccess ? clusters : 0;
}

}  // namespace

bool takes_prefill_linear(int device) { return has_wgmma_code(device); }

LinearBlocks prefill_linear_blocks() {
  int device = 0;
  LinearBlocks blocks;
  if (cudaGetDevice(&device) != cudaSuccess ||
      cudaDeviceGetAttribute(&blocks.single, cudaDevAttrMultiProcessorCount, device) != cudaSuccess) {
    check_launch("prefill_linear");
  }
  blocks.clusters_of_2 = most_clusters(2);
  blocks.clusters_of_4 = most_clusters(4);
  return blocks;
}

void launch_prefill_linear(const PrefillLinearParams& params, ElementType type, cudaStream_t stream) {
  if (params.rows < 1 || params.rows > kLinearTileRows || params.outputs % 2 != 0 ||
      (params.gated && (params.plan.splits != 1 || !params.y))) {
    fail_launch("prefill_linear", "rows must be 1 to 128, outputs even, a gated product whole, with a y");
  }
  if (type == ElementType::bfloat16) {
    launch<__nv_bfloat16, kLeastLinearWidth>(params, stream);
  } else {
    launch<__half, kLeastLinearWidth>(params, stream);
  }
}

}  // namespace specthink::inline kernels
