#include <algorithm>

#include "kernels/decode/attention.h"
#include "kernels/decode/attention_heads.cuh"
#include "kernels/decode/attention_tiles.cuh"
#include "kernels/decode/linear.h"
#include "kernels/device/hopper.cuh"
#include "kernels/device/kernel_launch.cuh"
#include "kernels/device/kernel_timeline.cuh"
#include "kernels/device/ptx.cuh"
#include "kernels/exchange/exchange.cuh"

namespace specthink {
namespace {

/// Of a thread. Beside a block of linear layer.cu with its 17 warps of 56 registers, eight warps have 116 each: where
/// both blocks' shared memory fits an SM, the rings of this one fill while the queries are computed.
constexpr int kRegisters = 112;
constexpr int kRegistersOfTwoTiles = 168;

/// Shared memory of a block that works on kQueryTiles x 8 queries in a cluster of kBlocks.
template <typename T, int kHeadDim, int kQueryTiles, int kBlocks>
struct Shared {
  static constexpr int kAll = kQueries * kQueryTiles;
  // Few queries leave a warp waiting for its own instructions: more of them hide that. With more queries the merge and
  // the shared memory of more warps cost more than they gain.
  static constexpr int kWarps = kQueryTiles == 1 ? 8 : 4;
  static constexpr int kThreads = kWarps * 32;
  static constexpr int kStages = 2;                         // tiles of K and V that a warp has in flight
  static constexpr int kStride = kHeadDim + 1;              // against bank conflicts
  static constexpr int kShare = kAll * kHeadDim / kBlocks;  // elements of the result that a block merges

  struct Partial {
    float output[kAll][kStride];
    float highest[kAll];
    float sum[kAll];
  };
  union PerWarp {  // the ring is done with when the warp's result is stored
    TilePair<T, kHeadDim> ring[kStages];
    Partial partial;
  };
  alignas(128) PerWarp warps[kWarps];
  alignas(128) TilePair<T, kHeadDim> new_rows;  // of this step; zeros beyond them
  alignas(128) T queries[kAll * kHeadDim];
  // What the blocks of the cluster send: this block's share of their results, and the maxima and sums of all queries.
  float inbox[kBlocks][kShare];
  float inbox_highest[kBlocks][kAll];
  float inbox_sum[kBlocks][kAll];
};

template <typename T, int kHeadDim, int kQueryTiles, int kBlocks>
__global__ void __maxnreg__((kQueryTiles == 1 ? kRegisters : kRegistersOfTwoTiles))
    decode_attention(const __grid_constant__ AttentionParams p, int rows) {
#if SPECTHINK_HOPPER_CODE
  extern __shared__ __align__(128) unsigned char bytes[];
  using Memory = Shared<T, kHeadDim, kQueryTiles, kBlocks>;
  constexpr int kWarps = Memory::kWarps;
  constexpr int kThreads = Memory::kThreads;
  Memory& shared = *reinterpret_cast<Memory*>(bytes);
  const int block = static_cast<int>(ptx::cluster_block_rank());
  const int cluster_index = static_cast<int>(blockIdx.x) / kBlocks;
  const int kv_head = cluster_index % p.kv_heads;
  const int first_query = kQueryTiles == 1 ? 0 : cluster_index / p.kv_heads * Memory::kAll;
  const int helpers = kQueryTiles == 1 ? p.split.helpers : 0;  // first in the grid
  const bool is_helper = cluster_index < helpers * p.kv_heads;
  const unsigned first_main = helpers * p.kv_heads * kBlocks;
  const int group = p.heads / p.kv_heads;  // query heads of a KV head; query i is head i % group of row i / group
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = thread / 32;

  ptx::launch_dependents();
  // Its SM is free at once; that the main clusters wait for the kernels before keeps this kernel from ending first.
  if (is_helper && p.state->position < p.split.from_position) return;
  ptx::cluster_arrive_relaxed();
  record(p.marks, Mark::started, first_main);

  // --- What earlier steps have left in the cache: independent of the kernel before.
  const int position = p.state->position;
  const int valid_rows = min(p.state->rows, rows);
  const int tiles = (position + kTile - 1) / kTile;
  constexpr int kStages = Memory::kStages;
  const int helping = position >= p.split.from_position ? helpers : 0;
  // The warps of all blocks take turns: first one of each block, so that the tiles of the last turn, which not all get,
  // lie on many SMs. Helpers have the fewest tiles: the main cluster waits for them.
  const int blocks = (1 + helping) * kBlocks;
  const int stride = blocks * kWarps;
  const int first_tile = warp * blocks + (is_helper ? 1 + cluster_index / p.kv_heads : 0) * kBlocks + block;
  const TileLoader<T, kHeadDim> loader(p, kv_head, position);
  auto& ring = shared.warps[warp].ring;
#pragma unroll
  for (int stage = 0; stage < kStages; ++stage) {
    const int tile = first_tile + stage * stride;
    if (tile < tiles) loader.copy(ring[stage], tile, loader.page_of(tile));
    ptx::copy_async_commit();
  }
  // Has the fewest tiles of its cluster, and attends to the rows of this step.
  const bool last_block = block == kBlocks - 1 && !is_helper;
  if (last_block) {
    auto* const words = reinterpret_cast<uint4*>(&shared.new_rows);
    for (int i = thread; i < static_cast<int>(sizeof(shared.new_rows) / sizeof(uint4)); i += kThreads) {
      words[i] = {0, 0, 0, 0};
    }
    __syncthreads();
  }
  // Pages of the new rows, which lie in two at most.
  const int first_page = position / p.page_tokens;
  const int page_of_first = __ldg(p.page_table + first_page);
  const int page_of_last = __ldg(p.page_table + (position + valid_rows - 1) / p.page_tokens);

  // --- This step's rows: queries of this cluster; new keys and values.
  constexpr int kQueriesOfWarp = Memory::kAll / kWarps;
  HeadVector<T, kHeadDim> queries[kQueriesOfWarp];
  // Rows beyond the valid ones are computed like the last valid one; nobody reads their results.
  const auto row_of_query = [&](int query) { return min(query / group, valid_rows - 1); };
  const int first_of_warp = first_query + warp * kQueriesOfWarp;
#pragma unroll
  for (int i = 0; i < kQueriesOfWarp; ++i) {
    const int query = first_of_warp + i;
    queries[i].load_tables(p, kv_head * group + query % group, position + row_of_query(query));
  }
  // New keys and values of the last block: vector i is the key (i even) or value of row i / 2; a warp takes every
  // kWarps-th, a few at a time, whose loads overlap.
  constexpr int kAddedAtOnce = kQueryTiles == 1 ? 1 : 4;
  HeadVector<T, kHeadDim> added[kAddedAtOnce];
  const int new_vectors = last_block ? 2 * valid_rows : 0;
  const auto each_added = [&](int first, const auto& what) {
#pragma unroll
    for (int k = 0; k < kAddedAtOnce; ++k) {
      const int i = first + k * kWarps;
      if (i < new_vectors) what(added[k], i);
    }
  };
  const auto load_tables = [&](HeadVector<T, kHeadDim>& vector, int i) {
    vector.load_tables(p, p.heads + i % 2 * p.kv_heads + kv_head, position + i / 2);
  };
  const auto load = [&](HeadVector<T, kHeadDim>& vector, int i) { vector.load(p, i / 2); };
  each_added(warp, load_tables);

  ptx::wait_for_predecessors();
  record(p.marks, Mark::released, first_main);
  each_added(warp, load);
#pragma unroll
  for (int i = 0; i < kQueriesOfWarp; ++i) queries[i].load(p, row_of_query(first_of_warp + i));
#pragma unroll
  for (int i = 0; i < kQueriesOfWarp; ++i) {
    queries[i].finish(p);
    queries[i].store_swizzled(shared.queries, warp * kQueriesOfWarp + i);
  }
  for (int first = warp; first < new_vectors; first += kAddedAtOnce * kWarps) {
    if (first != warp) {
      each_added(first, load_tables);
      each_added(first, load);
    }
    each_added(first, [&](HeadVector<T, kHeadDim>& vector, int i) {
      vector.finish(p);
      const bool is_key = i % 2 == 0;
      const int row = i / 2;
      vector.store_swizzled(is_key ? shared.new_rows.keys : shared.new_rows.values, row);
      if (first_query != 0) return;
      const int at = position + row;
      const std::int64_t page = at / p.page_tokens == first_page ? page_of_first : page_of_last;
      vector.store_row(static_cast<T*>(is_key ? p.keys : p.values) +
                       ((page * p.page_tokens + at % p.page_tokens) * p.kv_heads + kv_head) * kHeadDim);
    });
  }
  __syncthreads();

  record(p.marks, Mark::first, first_main);  // queries and new rows are there

  const std::uint32_t query_rows = ptx::shared_address(shared.queries);
  const float scale = p.scale * 1.44269504f;
  Accumulator<T, kHeadDim, kQueryTiles> accumulator;
  int stage = 0;
  int next_page = first_tile + kStages * stride < tiles ? loader.page_of(first_tile + kStages * stride) : 0;
  for (int tile = first_tile; tile < tiles; tile += stride) {
    const int ahead = tile + kStages * stride;
    const int page = next_page;
    if (ahead + stride < tiles) next_page = loader.page_of(ahead + stride);
    ptx::copy_async_wait<kStages - 1>();
    __syncwarp();
    accumulator.add(ptx::shared_address(ring[stage].keys), ptx::shared_address(ring[stage].values), query_rows, scale,
                    [&](int row, int) { return tile * kTile + row < position; });
    __syncwarp();
    if (ahead < tiles) loader.copy(ring[stage], ahead, page);
    ptx::copy_async_commit();
    stage = stage + 1 == kStages ? 0 : stage + 1;
  }
  ptx::copy_async_wait<0>();
  if (last_block && warp == kWarps - 1) {
    accumulator.add(ptx::shared_address(shared.new_rows.keys), ptx::shared_address(shared.new_rows.values), query_rows,
                    scale, [&](int row, int query) { return row <= (first_query + query) / group; });
  }
  __syncwarp();
  accumulator.store(shared.warps[warp].partial);
  __syncthreads();
  record(p.marks, Mark::second, first_main);  // all tiles of the block are done

  // --- Merge the warps of the block; each block of the cluster gets its share of the result.
  ptx::cluster_wait();  // they all run
  const auto weight_of = [](float own, float highest) { return own == kNever ? 0.0f : exp2f(own - highest); };
  constexpr int kThreadsOfQuery = kThreads / Memory::kAll;
  const int query = thread / kThreadsOfQuery;
  const int first_element = thread % kThreadsOfQuery;
  float weights[kWarps];
  float highest = kNever;
  float sum = 0;
#pragma unroll
  for (int w = 0; w < kWarps; ++w) highest = fmaxf(highest, shared.warps[w].partial.highest[query]);
#pragma unroll
  for (int w = 0; w < kWarps; ++w) {
    weights[w] = weight_of(shared.warps[w].partial.highest[query], highest);
    sum += weights[w] * shared.warps[w].partial.sum[query];
  }
#pragma unroll
  for (int element = first_element; element < kHeadDim; element += kThreadsOfQuery) {
    float value = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) value += weights[w] * shared.warps[w].partial.output[query][element];
    const int i = query * kHeadDim + element;
    ptx::store_cluster(ptx::shared_address(&shared.inbox[block][i % Memory::kShare]), i / Memory::kShare, value);
  }
  for (int to = first_element; to < kBlocks; to += kThreadsOfQuery) {
    ptx::store_cluster(ptx::shared_address(&shared.inbox_highest[block][query]), to, highest);
    ptx::store_cluster(ptx::shared_address(&shared.inbox_sum[block][query]), to, sum);
  }
  ptx::cluster_arrive();
  ptx::cluster_wait();
  record(p.marks, Mark::third, first_main);  // the others' shares have arrived

  for (int i = thread; i < Memory::kShare; i += kThreads) {
    const int merged = (block * Memory::kShare + i) / kHeadDim;  // the query
    const int element = (block * Memory::kShare + i) % kHeadDim;
    const int row = (first_query + merged) / group;
    const int head = kv_head * group + (first_query + merged) % group;
    if (row >= rows) continue;
    constexpr int kResults = Memory::kAll * kHeadDim;  // of a cluster
    const auto helped = [&](int helper) {
      return static_cast<uint4*>(p.split.results) + (helper * p.kv_heads + kv_head) * kResults +
             block * Memory::kShare + i;
    };
    uint4 words[kMaxAttentionHelpers];
#pragma unroll
    for (int helper = 0; helper < kMaxAttentionHelpers; ++helper) {
      if (helper < helping && !is_helper) words[helper] = ptx::load_system_16(helped(helper));
    }
    float top = kNever;
#pragma unroll
    for (int b = 0; b < kBlocks; ++b) top = fmaxf(top, shared.inbox_highest[b][merged]);
    float total = 0;
    float value = 0;
#pragma unroll
    for (int b = 0; b < kBlocks; ++b) {
      const float weight = weight_of(shared.inbox_highest[b][merged], top);
      total += weight * shared.inbox_sum[b][merged];
      value += weight * shared.inbox[b][i];
    }
    if (is_helper) {
      ptx::store_system(helped(cluster_index / p.kv_heads),
                        {__float_as_uint(value), __float_as_uint(top), __float_as_uint(total), 0});
      continue;
    }
#pragma unroll
    for (int helper = 0; helper < kMaxAttentionHelpers; ++helper) {
      if (helper >= helping) break;
      SpinClock clock(p.split.limit);
      while (!arrived(words[helper]) && !clock.expired()) words[helper] = ptx::load_system_16(helped(helper));
      ptx::store_system(helped(helper), {kNotYet, kNotYet, kNotYet, kNotYet});
      const float helper_top = __uint_as_float(words[helper].y);
      const float overall_top = fmaxf(top, helper_top);
      const float weight = weight_of(top, overall_top);
      const float helper_weight = weight_of(helper_top, overall_top);
      value = weight * value + helper_weight * __uint_as_float(words[helper].x);
      total = weight * total + helper_weight * __uint_as_float(words[helper].z);
      top = overall_top;
    }
    static_cast<T*>(p.output)[activation_index(rows, row, head * kHeadDim + element)] =
        ptx::from_float<T>(value / total);
  }
  record(p.marks, Mark::ended, first_main);
#endif
}

template <typename T, int kHeadDim, int kQueryTiles, int kBlocks>
auto configured_kernel() {
  const auto kernel = decode_attention<T, kHeadDim, kQueryTiles, kBlocks>;
  static const bool configured = [&] {
    allow_large_shared_memory(kernel, "decode_attention");
    if (cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1) != cudaSuccess) {
      check_launch("decode_attention");
    }
    return true;
  }();
  (void)configured;
  return kernel;
}

/// Of blocks with one query tile; as in AttentionClusters.
template <typename T, int kHeadDim, int kBlocks>
int most_clusters() {
  static const int most = [] {
    using Memory = Shared<T, kHeadDim, 1, kBlocks>;
    constexpr std::size_t kHalfOfAnSm = 114 * 1024;  // two blocks with more do not fit
    cudaLaunchConfig_t config{};
    config.gridDim = kBlocks;
    config.blockDim = Memory::kThreads;
    config.dynamicSmemBytes = std::max(sizeof(Memory), kHalfOfAnSm + 1);
    cudaLaunchAttribute attribute;
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim = {kBlocks, 1, 1};
    config.attrs = &attribute;
    config.numAttrs = 1;
    int clusters = 0;
    const cudaError_t status =
        cudaOccupancyMaxActiveClusters(&clusters, configured_kernel<T, kHeadDim, 1, kBlocks>(), &config);
    cudaGetLastError();  // a refusal is an answer
    return status == cudaSuccess ? clusters : 0;
  }();
  return most;
}

template <typename T>
AttentionClusters clusters_at_once(int head_dim) {
  if (head_dim == 64) return {most_clusters<T, 64, 8>(), most_clusters<T, 64, 16>()};
  return {most_clusters<T, 128, 8>(), most_clusters<T, 128, 16>()};
}

template <typename T, int kHeadDim, int kQueryTiles, int kBlocks>
void launch(const AttentionParams& params, int rows, bool dependent, cudaStream_t stream) {
  using Memory = Shared<T, kHeadDim, kQueryTiles, kBlocks>;
  const int queries = rows * params.heads / params.kv_heads;
  const int of_kv_head = (queries + Memory::kAll - 1) / Memory::kAll + params.split.helpers;
  const LaunchShape shape{dim3(static_cast<unsigned>(params.kv_heads * of_kv_head * kBlocks)), Memory::kThreads,
                          sizeof(Memory), kBlocks, dependent};
  launch_kernel("decode_attention", configured_kernel<T, kHeadDim, kQueryTiles, kBlocks>(), shape, stream, params,
                rows);
}

template <typename T, int kHeadDim, int kBlocks>
void launch_tiles(const AttentionParams& params, int rows, bool dependent, cudaStream_t stream) {
  const int queries = rows * params.heads / params.kv_heads;
  if (queries <= kQueries) {
    launch<T, kHeadDim, 1, kBlocks>(params, rows, dependent, stream);
  } else {
    launch<T, kHeadDim, 2, kBlocks>(params, rows, dependent, stream);
  }
}

template <typename T>
void launch_shape(AttentionParams params, int rows, int cluster, bool dependent, cudaStream_t stream) {
  const int queries = rows * params.heads / params.kv_heads;
  // Several clusters a KV head fill the GPU with small ones.
  if (queries > 2 * kQueries) cluster = 8;
  const bool may_split = queries <= kSplitQueries && params.split.results;
  const AttentionPlan plan = plan_attention(params.kv_heads, clusters_at_once<T>(params.head_dim), cluster,
                                            may_split ? params.split.helpers : 0);
  params.split.helpers = plan.helpers;
  if (params.split.from_position < 0) params.split.from_position = attention_split_position(plan.cluster);
  const auto is = [&](int head_dim, int blocks) { return params.head_dim == head_dim && plan.cluster == blocks; };
  if (is(64, 8)) return launch_tiles<T, 64, 8>(params, rows, dependent, stream);
  if (is(64, 16)) return launch_tiles<T, 64, 16>(params, rows, dependent, stream);
  if (is(128, 8)) return launch_tiles<T, 128, 8>(params, rows, dependent, stream);
  if (is(128, 16)) return launch_tiles<T, 128, 16>(params, rows, dependent, stream);
  fail_launch("decode_attention", "head_dim must be 64 or 128, a cluster 8 or 16 blocks");
}

}  // namespace

AttentionClusters attention_clusters(ElementType type, int head_dim) {
  return type == ElementType::bfloat16 ? clusters_at_once<__nv_bfloat16>(head_dim) : clusters_at_once<__half>(head_dim);
}

std::size_t attention_shared_bytes(int head_dim, int cluster, int queries) {
  const auto of = [&]<int kHeadDim, int kQueryTiles>() {
    using T = __nv_bfloat16;  // __half is as large
    return cluster == 8 ? sizeof(Shared<T, kHeadDim, kQueryTiles, 8>) : sizeof(Shared<T, kHeadDim, kQueryTiles, 16>);
  };
  if (head_dim == 64) return queries <= kQueries ? of.operator()<64, 1>() : of.operator()<64, 2>();
  return queries <= kQueries ? of.operator()<128, 1>() : of.operator()<128, 2>();
}

void launch_decode_attention(const AttentionParams& params, ElementType type, int rows, int cluster, bool dependent,
                             cudaStream_t stream) {
  if (rows < 1 || rows > kMaxStepRows || params.heads % params.kv_heads != 0) {
    fail_launch("decode_attention", "rows must be 1 to 16, and KV heads divide the heads");
  }
  if (params.split.helpers > kMaxAttentionHelpers) fail_launch("decode_attention", "more than three helpers");
  if (type == ElementType::bfloat16) {
    launch_shape<__nv_bfloat16>(params, rows, cluster, dependent, stream);
  } else {
    launch_shape<__half>(params, rows, cluster, dependent, stream);
  }
}

}  // namespace specthink
