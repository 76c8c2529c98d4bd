#include <algorithm>

#include "kernels/device/hopper.cuh"
#include "kernels/device/hopper.h"
#include "kernels/device/kernel_launch.cuh"
#include "kernels/prefill/attention_consumer.cuh"
#include "kernels/prefill/attention_device.h"
#include "specthink/kernels/limits.h"

namespace specthink::inline kernels {
namespace {

constexpr int kThreads = kConsumers + kGroupThreads;  // the last warpgroup copies
static_assert(kPrefillTile == kPageTokens, "a tile of keys is a page");

/// One thread: copies the tiles of keys and values into the ring.
template <typename T, int kHeadDim>
__device__ void copy_tiles(const PrefillAttentionParams& p, Segments segments, PrefillShared<T, kHeadDim>& shared) {
  constexpr int kPanels = kHeadDim / ptx::kPanelColumns;
  const auto copy = [&](T* to, const CUtensorMap& map, int kv_head, int page, std::uint64_t& there) {
    const std::uint32_t barrier = ptx::shared_address(&there);
    ptx::barrier_arrive_and_expect(barrier, kPanels * kPanelBytes);
    for (int panel = 0; panel < kPanels; ++panel) {
      ptx::bulk_copy_box(ptx::shared_address(to) + panel * kPanelBytes, &map,
                         kv_head * kHeadDim + panel * ptx::kPanelColumns, page * kPageTokens, barrier);
    }
  };
  int step = 0;
  bool waited = false;
  for (Segment segment; segments.next(segment);) {
    int next_page = __ldg(p.pages + segment.first_key_tile);  // a tile ahead: its latency is not waited for
    for (int i = 0; i < segment.key_tiles; ++i, ++step) {
      const int stage = step % kStages;
      const std::uint32_t parity = step / kStages % 2;
      const int tile = segment.first_key_tile + i;
      const int page = next_page;
      if (i + 1 < segment.key_tiles) next_page = __ldg(p.pages + tile + 1);
      if (!waited && (tile + 1) * kPrefillTile > p.settled) {
        ptx::wait_for_predecessors();
        waited = true;
      }
      if (step >= kStages) ptx::barrier_wait(ptx::shared_address(&shared.keys_free[stage]), parity ^ 1);
      copy(shared.keys[stage], p.keys, segment.kv_head, page, shared.keys_there[stage]);
      if (step >= kStages) ptx::barrier_wait(ptx::shared_address(&shared.values_free[stage]), parity ^ 1);
      copy(shared.values[stage], p.values, segment.kv_head, page, shared.values_there[stage]);
    }
  }
}

template <typename T, int kHeadDim>
__global__ void __launch_bounds__(kThreads, 1) prefill_attention(const __grid_constant__ PrefillAttentionParams p,
                                                                 const __grid_constant__ PrefillSchedule schedule) {
#if SPECTHINK_WGMMA_CODE
  extern __shared__ __align__(1024) unsigned char bytes[];
  auto& shared = *reinterpret_cast<PrefillShared<T, kHeadDim>*>(bytes);
  const QueryTiles tiles(p.shape);
  Segments segments(tiles, schedule, static_cast<int>(blockIdx.x));

  if (threadIdx.x == 0) {
    for (int stage = 0; stage < kStages; ++stage) {
      ptx::barrier_init(ptx::shared_address(&shared.keys_there[stage]), 1);
      ptx::barrier_init(ptx::shared_address(&shared.values_there[stage]), 1);
      ptx::barrier_init(ptx::shared_address(&shared.keys_free[stage]), kConsumers / 32);
      ptx::barrier_init(ptx::shared_address(&shared.values_free[stage]), kConsumers / 32);
    }
    ptx::barrier_init_fence();
    ptx::prefetch_tensor_map(&p.keys);
    ptx::prefetch_tensor_map(&p.values);
  }
  __syncthreads();

  if (threadIdx.x >= kConsumers) {
    ptx::give_registers_back<24>();
    if (threadIdx.x == kConsumers) copy_tiles(p, segments, shared);
    return;
  }
  ptx::wait_for_predecessors();
  ptx::launch_dependents();
  ptx::take_registers<240>();
  AttentionConsumer<T, kHeadDim> consumer(p, tiles, shared);
  for (Segment segment; segments.next(segment);) {
    consumer.run(segment);
    if (segment.whole) {
      consumer.write_output(segment);
    } else {
      consumer.write_part(segment);
    }
  }
#endif
}

/// Blocks (some queries of a tile, split tile). Each of the `warps` that share a query adds up some of its parts; a
/// lane has kHeadDim / 32 elements next to each other.
constexpr int kMergeWarps = 8;
constexpr int kPartsAtOnce = 4;  // that a warp loads before it looks at the first
template <typename T, int kHeadDim>
__global__ void __launch_bounds__(kMergeWarps * 32)
    merge_parts(const __grid_constant__ PrefillAttentionParams p, const __grid_constant__ PrefillSchedule schedule,
                const __grid_constant__ SplitTiles splits, int warps) {
#if SPECTHINK_WGMMA_CODE
  constexpr int kElements = kHeadDim / 32;  // of a lane
  struct alignas(4 * kElements) Lane {
    float values[kElements];
  };
  struct alignas(2 * kElements) Rounded {
    T values[kElements];
  };
  __shared__ Lane outputs[kMergeWarps][32];
  __shared__ float2 statistics[kMergeWarps];
  const QueryTiles tiles(p.shape);
  ptx::launch_dependents();
  const SplitTile split = splits.tiles[blockIdx.y];
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int in_tile = static_cast<int>(blockIdx.x) * (kMergeWarps / warps) + warp / warps;
  const int query = split.query_tile % tiles.tiles * kPrefillTile + in_tile;

  const bool there = in_tile < kPrefillTile && query < tiles.queries;
  const auto part_at = [&](int i) {
    return p.workspace + static_cast<std::int64_t>(part_of(schedule, split.first + i, split.query_tile)) *
                             AttentionPart<kHeadDim>::kSize;
  };
  const int parts = there ? split.count : 0;
  const float* part[kPartsAtOnce];
#pragma unroll
  for (int k = 0; k < kPartsAtOnce; ++k) part[k] = part_at(min(warp % warps + k * warps, split.count - 1));

  ptx::wait_for_predecessors();
  float2 total{kNoScore, 0};  // highest, sum
  Lane output{};
  for (int first = warp % warps; first < parts; first += kPartsAtOnce * warps) {
    float2 statistic[kPartsAtOnce];
    Lane own[kPartsAtOnce];
#pragma unroll
    for (int k = 0; k < kPartsAtOnce; ++k) {
      const int i = first + k * warps;
      statistic[k] = {kNoScore, 0};
      if (i >= parts) continue;
      if (first >= warps) part[k] = part_at(i);
      statistic[k] = *reinterpret_cast<const float2*>(part[k] + AttentionPart<kHeadDim>::kStatistics + 2 * in_tile);
      own[k] = *reinterpret_cast<const Lane*>(part[k] + in_tile * kHeadDim + lane * kElements);
    }
#pragma unroll
    for (int k = 0; k < kPartsAtOnce; ++k) {
      if (statistic[k].x == kNoScore) continue;  // no such part, or this query sees none of its keys
      const float most = fmaxf(total.x, statistic[k].x);
      const float before = exp2f(total.x - most);
      const float now = exp2f(statistic[k].x - most);
      total = {most, total.y * before + statistic[k].y * now};
#pragma unroll
      for (int e = 0; e < kElements; ++e) output.values[e] = output.values[e] * before + own[k].values[e] * now;
    }
  }
  if (warps > 1) {
    outputs[warp][lane] = output;
    if (lane == 0) statistics[warp] = total;
    __syncthreads();
    if (warp % warps != 0) return;
    float highest = kNoScore;
    for (int w = warp; w < warp + warps; ++w) highest = fmaxf(highest, statistics[w].x);
    total = {highest, 0};
    output = {};
    for (int w = warp; w < warp + warps; ++w) {
      const float weight = exp2f(statistics[w].x - highest);
      total.y += weight * statistics[w].y;
#pragma unroll
      for (int e = 0; e < kElements; ++e) output.values[e] += weight * outputs[w][lane].values[e];
    }
  }
  if (!there) return;
  const std::int64_t head = tiles.head_of(split.query_tile / tiles.tiles, query);
  Rounded result;
#pragma unroll
  for (int e = 0; e < kElements; ++e) result.values[e] = ptx::from_float<T>(output.values[e] / total.y);
  *reinterpret_cast<Rounded*>(static_cast<T*>(p.output) + head * kHeadDim + lane * kElements) = result;
#endif
}

/// One a SM.
int blocks_of(int device) {
  int count = 0;
  if (cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device) != cudaSuccess) {
    check_launch("prefill_attention");
  }
  return std::clamp(count, 1, kMaxPrefillBlocks);
}

int blocks_of_current_device() {
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess) check_launch("prefill_attention");
  return blocks_of(device);
}

template <typename T, int kHeadDim>
void launch(const PrefillAttentionParams& p, cudaStream_t stream) {
  static const bool configured = [] {
    allow_large_shared_memory(prefill_attention<T, kHeadDim>, "prefill_attention");
    return true;
  }();
  (void)configured;
  static const int blocks = blocks_of_current_device();
  PrefillSchedule schedule;
  SplitTiles splits;
  distribute(p.shape, blocks, schedule, splits);
  const LaunchShape shape{dim3(static_cast<unsigned>(schedule.blocks)), kThreads, sizeof(PrefillShared<T, kHeadDim>), 1,
                          true};
  launch_kernel("prefill_attention", prefill_attention<T, kHeadDim>, shape, stream, p, schedule);
  if (splits.count == 0) return;
  int most_parts = 0;
  for (int i = 0; i < splits.count; ++i) most_parts = std::max(most_parts, splits.tiles[i].count);
  int warps = 1;  // that share a query: more shorten the wait for many parts, and are idle for few
  while (warps < kMergeWarps && kPartsAtOnce * warps < most_parts) warps *= 2;
  const int queries = std::min(kPrefillTile, p.shape.rows * (p.shape.heads / p.shape.kv_heads));
  const int queries_of_block = kMergeWarps / warps;
  const dim3 grid(static_cast<unsigned>((queries + queries_of_block - 1) / queries_of_block),
                  static_cast<unsigned>(splits.count));
  const LaunchShape merge{grid, kMergeWarps * 32, 0, 1, true};
  launch_kernel("merge_parts", merge_parts<T, kHeadDim>, merge, stream, p, schedule, splits, warps);
}

template <typename T>
void launch_type(const PrefillAttentionParams& params, cudaStream_t stream) {
  if (params.head_dim == 64) return launch<T, 64>(params, stream);
  if (params.head_dim == 128) return launch<T, 128>(params, stream);
  fail_launch("prefill_attention", "head_dim must be 64 or 128");
}

}  // namespace

bool takes_prefill_attention(int device, int head_dim) {
  return (head_dim == 64 || head_dim == 128) && has_wgmma_code(device);
}

std::int64_t prefill_attention_workspace(int device, int head_dim) {
  return attention_workspace_bytes(blocks_of(device), head_dim);
}

void launch_prefill_attention(const PrefillAttentionParams& params, ElementType type, cudaStream_t stream) {
  const AttentionRows& shape = params.shape;
  if (shape.rows < 1 || shape.rows > shape.length || shape.kv_heads < 1 || shape.heads % shape.kv_heads != 0) {
    fail_launch("prefill_attention", "rows must be 1 to length, and KV heads divide the heads");
  }
  if (type == ElementType::bfloat16) {
    launch_type<__nv_bfloat16>(params, stream);
  } else {
    launch_type<__half>(params, stream);
  }
}

}  // namespace specthink::inline kernels
