#include <algorithm>

#include "kernels/decode/attention/heads.cuh"
#include "kernels/decode/portable/attention.h"
#include "kernels/decode/portable/softmax_parts.cuh"
#include "kernels/device/kernel_launch.cuh"
#include "kernels/device/ptx.cuh"

namespace specthink::inline kernels {
namespace {

constexpr int kLeastPart = 64;  // positions
constexpr float kLog2E = 1.44269504f;

/// The row's slot, and the position that it has; a slot of -1: padding.
struct RowPlace {
  int slot;
  int position;
};
__device__ __forceinline__ RowPlace place_of(const StepLayout* layout, int row) {
  const int slot = layout->rows[row].slot;
  if (slot < 0) return {-1, 0};
  const StepEntry& entry = layout->entries[layout->rows[row].entry];
  return {slot, entry.position + row - entry.first_row};
}

/// Of the only row of a step, which loads nothing that depends on another load.
__device__ __forceinline__ RowPlace place_of_one(const StepLayout* layout) {
  const StepEntry entry = layout->entries[0];
  return {entry.rows > 0 ? entry.slot : -1, entry.position};
}

/// Where the cache has a position of a sequence, in heads of all pages.
__device__ __forceinline__ std::int64_t cached_head(const AttentionParams& p, const std::int32_t* pages, int position,
                                                    int kv_head) {
  const std::int64_t page = __ldg(pages + position / p.page_tokens);
  return (page * p.page_tokens + position % p.page_tokens) * p.kv_heads + kv_head;
}

/// A warp for each head of each row: bias, norm, rotation.
template <typename T, int kHeadDim>
__global__ void __launch_bounds__(kAttendThreads) store_heads(const __grid_constant__ PortableAttention params) {
  const AttentionParams& p = params.step;
  const int row = static_cast<int>(blockIdx.y);
  const int head = static_cast<int>(blockIdx.x) * kAttendWarps + static_cast<int>(threadIdx.x) / 32;
  const RowPlace place = place_of(p.layout, row);
  if (place.slot < 0 || head >= p.heads + 2 * p.kv_heads) return;
  HeadVector<T, kHeadDim> vector;
  vector.load_tables(p, head, place.position);
  vector.load(p, row);
  vector.finish(p);
  if (head < p.heads) {
    vector.store_row(static_cast<T*>(params.queries) + (static_cast<std::int64_t>(row) * p.heads + head) * kHeadDim);
    return;
  }
  const int kv_head = (head - p.heads) % p.kv_heads;
  T* const to = static_cast<T*>(head < p.heads + p.kv_heads ? p.keys : p.values);
  vector.store_row(to +
                   cached_head(p, p.page_tables + place.slot * p.pages_per_slot, place.position, kv_head) * kHeadDim);
}

/// This step's row in a block: its queries and, in the block that has the last part, its key and value.
template <typename T, int kHeadDim>
struct alignas(16) NewRow {
  T queries[kQueriesOfBlock][kHeadDim];
  T key[kHeadDim];
  T value[kHeadDim];
};

/// Warp q makes query q of the block; the first two of the block that `attends` the key and the value, too, which the
/// first of the KV head's blocks stores.
template <typename T, int kHeadDim>
class RowMaker {
  using Vector = HeadVector<T, kHeadDim>;

 public:
  __device__ __forceinline__ RowMaker(const AttentionParams& p, const RowPlace& place, int kv_head, int first_query,
                                      bool attends)
      : p_(p), warp_(static_cast<int>(threadIdx.x) / 32), adds_(attends && warp_ < 2), stores_(first_query == 0) {
    const int group = p.heads / p.kv_heads;
    query_.load_tables(p, kv_head * group + min(first_query + warp_, group - 1), place.position);
    if (!adds_) return;
    added_.load_tables(p, p.heads + warp_ * p.kv_heads + kv_head, place.position);
    to_ = cached_head(p, p.page_tables + place.slot * p.pages_per_slot, place.position, kv_head) * kHeadDim;
  }

  /// After the qkv linear layer.
  __device__ __forceinline__ void finish(NewRow<T, kHeadDim>& row) {
    query_.load(p_, 0);
    if (adds_) added_.load(p_, 0);
    query_.finish(p_);
    query_.store_row(row.queries[warp_]);
    if (!adds_) return;
    added_.finish(p_);
    added_.store_row(warp_ == 0 ? row.key : row.value);
    if (stores_) added_.store_row(static_cast<T*>(warp_ == 0 ? p_.keys : p_.values) + to_);
  }

 private:
  const AttentionParams& p_;
  int warp_;
  bool adds_, stores_;
  std::int64_t to_ = 0;
  Vector query_, added_;
};

/// Blocks (part, query tile of a KV head, row). `kIsOne`: of one row, whose heads the blocks make themselves; else
/// store_heads() has.
template <typename T, int kHeadDim, bool kIsOne>
__global__ void __launch_bounds__(kAttendThreads) attend(const __grid_constant__ PortableAttention params) {
  constexpr int kLoads = kHeadDim / (kLanes * kElementsOfLoad);
  constexpr int kElements = kLoads * kElementsOfLoad;
  const AttentionParams& p = params.step;
  ptx::launch_dependents();
  const int row = static_cast<int>(blockIdx.z);
  const RowPlace place = kIsOne ? place_of_one(p.layout) : place_of(p.layout, row);
  if (place.slot < 0) return;
  const int group = p.heads / p.kv_heads;
  const int kv_head = static_cast<int>(blockIdx.y) / params.split.query_tiles;
  const int first_query = static_cast<int>(blockIdx.y) % params.split.query_tiles * kQueriesOfBlock;  // of the KV head
  const int queries = min(group - first_query, kQueriesOfBlock);
  const int end = place.position + (kIsOne ? 0 : 1);  // of what is in the cache
  const int begin = params.window > 0 ? max(place.position + 1 - params.window, 0) : 0;
  const int positions = max(end - begin, 1);
  const int most_parts = static_cast<int>(gridDim.x);
  const int part_positions = max((positions + most_parts - 1) / most_parts, kLeastPart);
  const int parts = (positions + part_positions - 1) / part_positions;
  const int part = static_cast<int>(blockIdx.x);
  if (part >= parts) return;

  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % kLanes;
  const int first_head = kv_head * group + first_query;
  const std::int32_t* const pages = p.page_tables + place.slot * p.pages_per_slot;
  const bool has_new = kIsOne && part == parts - 1;
  const int last = min(begin + (part + 1) * part_positions, end);
  HeadPart<T, kLoads> next_key;
  HeadPart<T, kLoads> next_value;
  const auto load_next = [&](int first) {
    const int position = max(min(first + thread / kLanes, last - 1), 0);
    const std::int64_t head = cached_head(p, pages, position, kv_head) * kHeadDim;
    next_key.load(static_cast<const T*>(p.keys) + head, lane);
    next_value.load(static_cast<const T*>(p.values) + head, lane);
  };
  load_next(begin + part * part_positions);
  __shared__ NewRow<T, kHeadDim> new_row;
  const T* query_rows =
      static_cast<const T*>(params.queries) + (static_cast<std::int64_t>(row) * p.heads + first_head) * kHeadDim;
  if constexpr (kIsOne) {
    RowMaker<T, kHeadDim> maker(p, place, kv_head, first_query, has_new);
    ptx::wait_for_predecessors();
    maker.finish(new_row);
    __syncthreads();
    query_rows = new_row.queries[0];
  }
  float query[kQueriesOfBlock][kElements];
#pragma unroll
  for (int q = 0; q < kQueriesOfBlock; ++q) {
    HeadPart<T, kLoads> part_of_query;
    part_of_query.load(query_rows + min(q, queries - 1) * kHeadDim, lane);
    part_of_query.unpack(query[q]);
#pragma unroll
    for (int e = 0; e < kElements; ++e) query[q][e] *= p.scale * kLog2E;
  }
  Softmax<kElements> softmax;
  const auto attend_to = [&](const float(&key)[kElements], const float(&value)[kElements], bool is_there) {
#pragma unroll
    for (int q = 0; q < kQueriesOfBlock; ++q) {
      float score = 0;
#pragma unroll
      for (int e = 0; e < kElements; ++e) score = fmaf(query[q][e], key[e], score);
#pragma unroll
      for (int offset = kLanes / 2; offset; offset >>= 1) score += __shfl_xor_sync(~0u, score, offset);
      if (is_there) softmax.add(q, score, value);
    }
  };
  // All threads of a warp go round together: they exchange their scores.
  for (int first = begin + part * part_positions; first < last; first += kTogether) {
    const bool is_there = first + thread / kLanes < last;
    float key[kElements];
    float value[kElements];
    next_key.unpack(key);
    next_value.unpack(value);
    if (first + kTogether < last) load_next(first + kTogether);
    attend_to(key, value, is_there);
  }
  if (has_new && thread < 32) {  // the first warp, of which the first lanes attend to it
    float key[kElements];
    float value[kElements];
    next_key.load(new_row.key, lane);
    next_value.load(new_row.value, lane);
    next_key.unpack(key);
    next_value.unpack(value);
    attend_to(key, value, thread < kLanes);
  }

  // --- The block's result.
  __shared__ PartWeights weights;
  __shared__ PartResult<kHeadDim> of_lanes[kTogether];
  PartResult<kHeadDim>& own = of_lanes[thread / kLanes];
#pragma unroll
  for (int q = 0; q < kQueriesOfBlock; ++q) {
#pragma unroll
    for (int e = 0; e < kElements; ++e) own.output[q][element_of(e, lane)] = softmax.output[q][e];
    if (lane == 0) {
      own.highest[q] = softmax.highest[q];
      own.sum[q] = softmax.sum[q];
    }
  }
  __syncthreads();
  const std::int64_t item = static_cast<std::int64_t>(row) * gridDim.y + blockIdx.y;
  auto* const results = reinterpret_cast<PartResult<kHeadDim>*>(params.results) + item * most_parts;
  const auto store_output = [&](int q, int element, float, float sum, float output) {
    if (q >= queries) return;
    const std::int64_t at = (static_cast<std::int64_t>(row) * p.heads + first_head + q) * kHeadDim + element;
    static_cast<T*>(p.output)[at] = ptx::from_float<T>(output / sum);
  };
  if (parts == 1) {
    merge<false, kHeadDim>(of_lanes, kTogether, weights, store_output);
    return;
  }
  merge<false, kHeadDim>(of_lanes, kTogether, weights, [&](int q, int element, float highest, float sum, float output) {
    results[part].output[q][element] = output;
    if (element == 0) {
      results[part].highest[q] = highest;
      results[part].sum[q] = sum;
    }
  });

  // --- The last block of the row's head merges.
  __shared__ bool is_last;
  __threadfence();
  __syncthreads();
  if (thread == 0) {
    is_last = atomicAdd(params.arrived + item, 1) == static_cast<unsigned>(parts) - 1;
    if (is_last) params.arrived[item] = 0;
  }
  __syncthreads();
  if (!is_last) return;
  __threadfence();
  merge<true, kHeadDim>(results, parts, weights, store_output);
}

template <typename T, int kHeadDim>
void launch(const PortableAttention& params, int rows, bool dependent, cudaStream_t stream) {
  const AttentionParams& p = params.step;
  static const bool configured = [] {
    prefer_shared_memory(attend<T, kHeadDim, true>, "attend");
    prefer_shared_memory(attend<T, kHeadDim, false>, "attend");
    prefer_shared_memory(store_heads<T, kHeadDim>, "store_heads");
    return true;
  }();
  (void)configured;
  const auto of_rows = static_cast<unsigned>(rows);
  LaunchShape shape{dim3(static_cast<unsigned>(params.split.parts),
                         static_cast<unsigned>(p.kv_heads * params.split.query_tiles), of_rows),
                    kAttendThreads};
  if (rows == 1) {
    shape.dependent = dependent;
    launch_kernel("attend", attend<T, kHeadDim, true>, shape, stream, params);
    return;
  }
  const auto heads = static_cast<unsigned>((p.heads + 2 * p.kv_heads + kAttendWarps - 1) / kAttendWarps);
  launch_kernel("store_heads", store_heads<T, kHeadDim>, LaunchShape{dim3(heads, of_rows), kAttendThreads}, stream,
                params);
  launch_kernel("attend", attend<T, kHeadDim, false>, shape, stream, params);
}

template <typename T>
void launch_head_dim(const PortableAttention& params, int rows, bool dependent, cudaStream_t stream) {
  if (params.step.head_dim == 64) return launch<T, 64>(params, rows, dependent, stream);
  if (params.step.head_dim == 128) return launch<T, 128>(params, rows, dependent, stream);
  fail_launch("attend", "head_dim must be 64 or 128");
}

std::int64_t items_of(const PortableSplit& split, int kv_heads, int rows) {
  return static_cast<std::int64_t>(rows) * kv_heads * split.query_tiles;
}

}  // namespace

PortableSplit portable_split(int heads, int kv_heads, int rows, int sms) {
  constexpr int kBlocksOfSm = 3;  // that its registers hold
  const int tiles = (heads / kv_heads + kQueriesOfBlock - 1) / kQueriesOfBlock;
  return {tiles, std::clamp(kBlocksOfSm * sms / (rows * kv_heads * tiles), 1, kMostParts)};
}

std::int64_t portable_results_bytes(const PortableSplit& split, int kv_heads, int head_dim, int rows) {
  const std::int64_t of_part = kQueriesOfBlock * (head_dim + 2) * static_cast<std::int64_t>(sizeof(float));
  return items_of(split, kv_heads, rows) * split.parts * of_part;
}

std::int64_t portable_arrived_bytes(const PortableSplit& split, int kv_heads, int rows) {
  return items_of(split, kv_heads, rows) * static_cast<std::int64_t>(sizeof(unsigned));
}

void launch_portable_attention(const PortableAttention& params, ElementType type, int rows, bool dependent,
                               cudaStream_t stream) {
  if (type == ElementType::bfloat16) {
    launch_head_dim<__nv_bfloat16>(params, rows, dependent, stream);
  } else {
    launch_head_dim<__half>(params, rows, dependent, stream);
  }
}

}  // namespace specthink::inline kernels
