#include <algorithm>

#include "kernels/decode/attention/heads.cuh"
#include "kernels/decode/portable/attention.h"
#include "kernels/device/kernel_launch.cuh"
#include "kernels/device/ptx.cuh"

namespace specthink::inline kernels {
namespace {

constexpr int kAttendWarps = 4;
constexpr int kAttendThreads = 32 * kAttendWarps;
constexpr int kQueriesOfBlock = 4;                  // heads that share a KV head
constexpr int kLanes = 8;                           // that share a position
constexpr int kTogether = kAttendThreads / kLanes;  // positions that a block looks at together
constexpr int kLeastPart = 64;                      // positions
constexpr int kMostParts = 64;
constexpr int kElementsOfLoad = 8;  // of 2 bytes
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

/// An online softmax over some positions; `kElements` of each query's output are this thread's.
template <int kElements>
struct Softmax {
  float highest[kQueriesOfBlock];
  float sum[kQueriesOfBlock];
  float output[kQueriesOfBlock][kElements];

  __device__ __forceinline__ Softmax() {
#pragma unroll
    for (int q = 0; q < kQueriesOfBlock; ++q) {
      highest[q] = -INFINITY;
      sum[q] = 0;
#pragma unroll
      for (int e = 0; e < kElements; ++e) output[q][e] = 0;
    }
  }

  __device__ __forceinline__ void add(int q, float score, const float (&value)[kElements]) {
    const float top = fmaxf(highest[q], score);
    const float rescale = exp2f(highest[q] - top);  // 0 at first
    const float weight = exp2f(score - top);
    highest[q] = top;
    sum[q] = sum[q] * rescale + weight;
#pragma unroll
    for (int e = 0; e < kElements; ++e) output[q][e] = fmaf(weight, value[e], output[q][e] * rescale);
  }
};

/// What some positions give: of each query the unnormed output, the reference of its weights, their sum.
template <int kHeadDim>
struct PartResult {
  float output[kQueriesOfBlock][kHeadDim];
  float highest[kQueriesOfBlock];
  float sum[kQueriesOfBlock];
};

/// A thread's elements of a head: those of its lane in each of the head's loads by all lanes.
template <typename T, int kLoads>
struct HeadPart {
  uint4 words[kLoads];

  __device__ __forceinline__ void load(const T* head, int lane) {
#pragma unroll
    for (int i = 0; i < kLoads; ++i) words[i] = *(reinterpret_cast<const uint4*>(head) + i * kLanes + lane);
  }
  __device__ __forceinline__ void unpack(float (&to)[kLoads * kElementsOfLoad]) const {
#pragma unroll
    for (int load = 0; load < kLoads; ++load) {
      const std::uint32_t pairs[4] = {words[load].x, words[load].y, words[load].z, words[load].w};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float2 two = ptx::unpack<T>(pairs[i]);
        to[load * kElementsOfLoad + 2 * i] = two.x;
        to[load * kElementsOfLoad + 2 * i + 1] = two.y;
      }
    }
  }
};

/// Element `e` of a thread, as an element of the head.
__device__ __forceinline__ int element_of(int e, int lane) {
  return (e / kElementsOfLoad * kLanes + lane) * kElementsOfLoad + e % kElementsOfLoad;
}

/// What results count for when they are merged.
struct PartWeights {
  float of_part[kMostParts][kQueriesOfBlock];
  float highest[kQueriesOfBlock];
  float sum[kQueriesOfBlock];
};

/// Merges results; a thread has the elements that its number and the block's size name. `kOfBlocks`: other blocks have
/// written them.
template <bool kOfBlocks, int kHeadDim, typename Store>
__device__ __forceinline__ void merge(const PartResult<kHeadDim>* results, int count, PartWeights& weights,
                                      const Store& store) {
  constexpr int kAtOnce = 8;  // loads under way
  static_assert(kAttendWarps == kQueriesOfBlock && kMostParts % 32 == 0 && kTogether <= kMostParts);
  const auto load = [](const float& value) { return kOfBlocks ? __ldcg(&value) : value; };
  const int thread = static_cast<int>(threadIdx.x);
  {
    const int q = thread / 32;  // a warp for each query
    float highest[kMostParts / 32];
    float sum[kMostParts / 32];
    float top = -INFINITY;
#pragma unroll
    for (int i = 0; i < kMostParts / 32; ++i) {
      const int part = thread % 32 + 32 * i;
      highest[i] = part < count ? load(results[part].highest[q]) : -INFINITY;
      sum[i] = part < count ? load(results[part].sum[q]) : 0;
      top = fmaxf(top, highest[i]);
    }
#pragma unroll
    for (int offset = 16; offset; offset >>= 1) top = fmaxf(top, __shfl_xor_sync(~0u, top, offset));
    float total = 0;
#pragma unroll
    for (int i = 0; i < kMostParts / 32; ++i) {
      const float weight = sum[i] == 0 ? 0 : exp2f(highest[i] - top);
      weights.of_part[thread % 32 + 32 * i][q] = weight;
      total += weight * sum[i];
    }
#pragma unroll
    for (int offset = 16; offset; offset >>= 1) total += __shfl_xor_sync(~0u, total, offset);
    if (thread % 32 == 0) {
      weights.highest[q] = top;
      weights.sum[q] = total;
    }
  }
  __syncthreads();
  for (int i = thread; i < kQueriesOfBlock * kHeadDim; i += kAttendThreads) {
    const int q = i / kHeadDim;
    const int element = i % kHeadDim;
    float output = 0;
#pragma unroll kAtOnce
    for (int part = 0; part < count; ++part) {
      output = fmaf(weights.of_part[part][q], load(results[part].output[q][element]), output);
    }
    store(q, element, weights.highest[q], weights.sum[q], output);
  }
}

/// Blocks (part, query tile of a KV head, row).
template <typename T, int kHeadDim>
__global__ void __launch_bounds__(kAttendThreads) attend(const __grid_constant__ PortableAttention params) {
  constexpr int kLoads = kHeadDim / (kLanes * kElementsOfLoad);
  constexpr int kElements = kLoads * kElementsOfLoad;
  const AttentionParams& p = params.step;
  const int row = static_cast<int>(blockIdx.z);
  const RowPlace place = place_of(p.layout, row);
  if (place.slot < 0) return;
  const int group = p.heads / p.kv_heads;
  const int kv_head = static_cast<int>(blockIdx.y) / params.split.query_tiles;
  const int first_query = static_cast<int>(blockIdx.y) % params.split.query_tiles * kQueriesOfBlock;  // of the KV head
  const int queries = min(group - first_query, kQueriesOfBlock);
  const int end = place.position + 1;
  const int begin = params.window > 0 ? max(end - params.window, 0) : 0;
  const int positions = end - begin;
  const int most_parts = static_cast<int>(gridDim.x);
  const int part_positions = max((positions + most_parts - 1) / most_parts, kLeastPart);
  const int parts = (positions + part_positions - 1) / part_positions;
  const int part = static_cast<int>(blockIdx.x);
  if (part >= parts) return;

  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % kLanes;
  const int first_head = kv_head * group + first_query;
  const T* const query_rows =
      static_cast<const T*>(params.queries) + (static_cast<std::int64_t>(row) * p.heads + first_head) * kHeadDim;
  float query[kQueriesOfBlock][kElements];
#pragma unroll
  for (int q = 0; q < kQueriesOfBlock; ++q) {
    HeadPart<T, kLoads> part_of_query;
    part_of_query.load(query_rows + min(q, queries - 1) * kHeadDim, lane);
    part_of_query.unpack(query[q]);
#pragma unroll
    for (int e = 0; e < kElements; ++e) query[q][e] *= p.scale * kLog2E;
  }
  const std::int32_t* const pages = p.page_tables + place.slot * p.pages_per_slot;
  Softmax<kElements> softmax;
  const int last = min(begin + (part + 1) * part_positions, end);
  HeadPart<T, kLoads> next_key;
  HeadPart<T, kLoads> next_value;
  const auto load_next = [&](int first) {
    const int position = min(first + thread / kLanes, last - 1);
    const std::int64_t head = cached_head(p, pages, position, kv_head) * kHeadDim;
    next_key.load(static_cast<const T*>(p.keys) + head, lane);
    next_value.load(static_cast<const T*>(p.values) + head, lane);
  };
  load_next(begin + part * part_positions);
  // All threads of a warp go round together: they exchange their scores.
  for (int first = begin + part * part_positions; first < last; first += kTogether) {
    const bool is_there = first + thread / kLanes < last;
    float key[kElements];
    float value[kElements];
    next_key.unpack(key);
    next_value.unpack(value);
    if (first + kTogether < last) load_next(first + kTogether);
#pragma unroll
    for (int q = 0; q < kQueriesOfBlock; ++q) {
      float score = 0;
#pragma unroll
      for (int e = 0; e < kElements; ++e) score = fmaf(query[q][e], key[e], score);
#pragma unroll
      for (int offset = kLanes / 2; offset; offset >>= 1) score += __shfl_xor_sync(~0u, score, offset);
      if (is_there) softmax.add(q, score, value);
    }
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
void launch(const PortableAttention& params, int rows, cudaStream_t stream) {
  const AttentionParams& p = params.step;
  const auto heads = static_cast<unsigned>((p.heads + 2 * p.kv_heads + kAttendWarps - 1) / kAttendWarps);
  const auto of_rows = static_cast<unsigned>(rows);
  launch_kernel("store_heads", store_heads<T, kHeadDim>, LaunchShape{dim3(heads, of_rows), kAttendThreads}, stream,
                params);
  const dim3 grid(static_cast<unsigned>(params.split.parts),
                  static_cast<unsigned>(p.kv_heads * params.split.query_tiles), of_rows);
  launch_kernel("attend", attend<T, kHeadDim>, LaunchShape{grid, kAttendThreads}, stream, params);
}

template <typename T>
void launch_head_dim(const PortableAttention& params, int rows, cudaStream_t stream) {
  if (params.step.head_dim == 64) return launch<T, 64>(params, rows, stream);
  if (params.step.head_dim == 128) return launch<T, 128>(params, rows, stream);
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

void launch_portable_attention(const PortableAttention& params, ElementType type, int rows, cudaStream_t stream) {
  if (type == ElementType::bfloat16) {
    launch_head_dim<__nv_bfloat16>(params, rows, stream);
  } else {
    launch_head_dim<__half>(params, rows, stream);
  }
}

}  // namespace specthink::inline kernels
