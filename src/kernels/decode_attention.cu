#include "kernels/decode_attention.h"
#include "kernels/kernel_launch.cuh"
#include "kernels/product.h"
#include "kernels/ptx.cuh"
#include "kernels/timeline.cuh"

namespace specthink {
namespace {

constexpr int kTile = 16;    // positions of a tile
constexpr int kQueries = 8;  // of one matrix instruction
constexpr float kNever = -INFINITY;
constexpr float kSlack = 8;

/// Rows of head_dim elements whose 16-byte pieces are permuted by the row, so that eight rows of one piece lie in
/// different banks.
template <typename T, int kHeadDim>
struct SwizzledRows {
  static constexpr std::uint32_t kRowBytes = kHeadDim * 2;

  static __device__ __forceinline__ std::uint32_t offset(int row, int piece) {
    return row * kRowBytes + (piece ^ (row & 7)) * 16;
  }
  static __device__ __forceinline__ std::uint32_t element_offset(int row, int element) {
    return offset(row, element / 8) + element % 8 * 2;
  }
};

template <typename T, int kHeadDim>
struct TilePair {
  T keys[kTile * kHeadDim];
  T values[kTile * kHeadDim];
};

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

/// One warp's softmax over the positions that it has seen, and the values weighted by it. Lane 4g + t holds queries 2t
/// and 2t + 1 of each query tile.
template <typename T, int kHeadDim, int kQueryTiles>
struct Accumulator {
  static constexpr int kParts = kHeadDim / 16;
  float output[kQueryTiles][kParts][4] = {};  // elements g and g + 8 of a part, queries 2t and 2t + 1
  float highest[kQueryTiles][2];
  float sum[kQueryTiles][2] = {};  // over this lane's positions only

  __device__ __forceinline__ Accumulator() {
#pragma unroll
    for (int q = 0; q < kQueryTiles; ++q) highest[q][0] = highest[q][1] = kNever;
  }

  /// Takes in a tile. `visible(position in the tile, query)`; `scale` turns scores into powers of two.
  template <typename Visible>
  __device__ __forceinline__ void add(std::uint32_t keys, std::uint32_t values, std::uint32_t queries, float scale,
                                      const Visible& visible) {
    using Rows = SwizzledRows<T, kHeadDim>;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int g = lane / 4;
    const int t = lane % 4;

    // Scores: K [16 positions, head_dim] · Qᵀ [head_dim, 8 queries], two parts of 16 elements at a time.
    float scores[kQueryTiles][4] = {};
    float other_scores[kQueryTiles][4] = {};  // half of the parts: two short chains of dependent instructions
    const int key_row = lane % 16;
    const int query_row = lane % 8;
#pragma unroll
    for (int part = 0; part < kParts; part += 2) {
      const uint4 a0 = ptx::load_matrices(keys + Rows::offset(key_row, 2 * part + lane / 16));
      const uint4 a1 = ptx::load_matrices(keys + Rows::offset(key_row, 2 * part + 2 + lane / 16));
#pragma unroll
      for (int q = 0; q < kQueryTiles; ++q) {
        const uint4 b = ptx::load_matrices(queries + Rows::offset(q * kQueries + query_row, 2 * part + lane / 8));
        ptx::mma<T>(scores[q], a0.x, a0.y, a0.z, a0.w, b.x, b.y);
        ptx::mma<T>(other_scores[q], a1.x, a1.y, a1.z, a1.w, b.z, b.w);
      }
    }
#pragma unroll
    for (int q = 0; q < kQueryTiles; ++q) {
#pragma unroll
      for (int i = 0; i < 4; ++i) scores[q][i] += other_scores[q][i];
    }

    // The reference of the exponentials is a maximum of earlier tiles; it moves only when a score is well above it,
    // which is rare after the first tiles. Up to there weights are at most 2^kSlack, which float32 sums hold without
    // loss.
    bool above = false;
#pragma unroll
    for (int q = 0; q < kQueryTiles; ++q) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int query = q * kQueries + 2 * t + i;
        scores[q][i] = visible(g, query) ? scores[q][i] * scale : kNever;
        scores[q][i + 2] = visible(g + 8, query) ? scores[q][i + 2] * scale : kNever;
        above |= fmaxf(scores[q][i], scores[q][i + 2]) > highest[q][i] + kSlack;
      }
    }
    if (__any_sync(~0u, above)) raise(scores);
    std::uint32_t weights[kQueryTiles][2];
#pragma unroll
    for (int q = 0; q < kQueryTiles; ++q) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        scores[q][i] = exp2f(scores[q][i] - highest[q][i]);
        scores[q][i + 2] = exp2f(scores[q][i + 2] - highest[q][i]);
        sum[q][i] += scores[q][i] + scores[q][i + 2];
      }
      weights[q][0] = ptx::transpose_8x8(ptx::pack<T>(scores[q][0], scores[q][1]));
      weights[q][1] = ptx::transpose_8x8(ptx::pack<T>(scores[q][2], scores[q][3]));
    }

    // output += Vᵀ [head_dim, 16 positions] · weights [16 positions, 8 queries]
    const int value_row = lane % 8 + lane / 16 * 8;
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      const uint4 a = ptx::load_matrices_transposed(values + Rows::offset(value_row, 2 * part + lane / 8 % 2));
#pragma unroll
      for (int q = 0; q < kQueryTiles; ++q) {
        ptx::mma<T>(output[q][part], a.x, a.y, a.z, a.w, weights[q][0], weights[q][1]);
      }
    }
  }

  /// Makes the maximum of these scores the reference where it is greater.
  __device__ __forceinline__ void raise(const float (&scores)[kQueryTiles][4]) {
#pragma unroll
    for (int q = 0; q < kQueryTiles; ++q) {
      float rescale[2];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float top = fmaxf(scores[q][i], scores[q][i + 2]);
#pragma unroll
        for (int offset = 4; offset < 32; offset *= 2) top = fmaxf(top, __shfl_xor_sync(~0u, top, offset));
        top = fmaxf(top, highest[q][i]);
        rescale[i] = exp2f(highest[q][i] - top);
        highest[q][i] = top;
        sum[q][i] *= rescale[i];
      }
#pragma unroll
      for (int part = 0; part < kParts; ++part) {
        output[q][part][0] *= rescale[0];
        output[q][part][1] *= rescale[1];
        output[q][part][2] *= rescale[0];
        output[q][part][3] *= rescale[1];
      }
    }
  }

  template <typename Partial>
  __device__ __forceinline__ void store(Partial& partial) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int g = lane / 4;
    const int t = lane % 4;
#pragma unroll
    for (int q = 0; q < kQueryTiles; ++q) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float total = sum[q][i];
#pragma unroll
        for (int offset = 4; offset < 32; offset *= 2) total += __shfl_xor_sync(~0u, total, offset);
        const int query = q * kQueries + 2 * t + i;
        if (g == 0) {
          partial.highest[query] = highest[q][i];
          partial.sum[query] = total;
        }
#pragma unroll
        for (int part = 0; part < kParts; ++part) {
          partial.output[query][16 * part + g] = output[q][part][i];
          partial.output[query][16 * part + g + 8] = output[q][part][i + 2];
        }
      }
    }
  }
};

/// One head of one row of the qkv product by one warp: bias, norm, rotation. Lane l has elements kPer·l …; load() first
/// for several of them, so that their latencies overlap.
template <typename T, int kHeadDim>
struct HeadVector {
  static constexpr int kPer = kHeadDim / 32;
  float x[kPer];
  T weight[kPer], cos[kPer], sin[kPer], bias[kPer];
  int head;

  __device__ __forceinline__ void load(const AttentionParams& p, int row, int which_head, int position) {
    head = which_head;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int columns = (p.heads + 2 * p.kv_heads) * kHeadDim;
    const int column = head * kHeadDim + kPer * lane;
    const float* const from = p.qkv + static_cast<std::int64_t>(row) * columns + column;
    const std::int64_t entry = static_cast<std::int64_t>(position) * kHeadDim + kPer * lane;
    if constexpr (kPer == 4) {
      const float4 four = __ldcg(reinterpret_cast<const float4*>(from));
      x[0] = four.x, x[1] = four.y, x[2] = four.z, x[3] = four.w;
    } else {
      const float2 two = __ldcg(reinterpret_cast<const float2*>(from));
      x[0] = two.x, x[1] = two.y;
    }
    if (p.bias) load_elements(bias, static_cast<const T*>(p.bias) + column);
    if (is_value(p)) return;
    if (p.norm_weight) load_elements(weight, static_cast<const T*>(p.norm_weight) + column);
    load_elements(cos, static_cast<const T*>(p.cos) + entry);
    load_elements(sin, static_cast<const T*>(p.sin) + entry);
  }

  __device__ __forceinline__ void finish(const AttentionParams& p) {
    if (p.bias) {
#pragma unroll
      for (int i = 0; i < kPer; ++i) x[i] += ptx::to_float(bias[i]);
    }
    if (is_value(p)) return;
    if (p.norm_weight) {
      float squares = 0;
#pragma unroll
      for (int i = 0; i < kPer; ++i) squares += x[i] * x[i];
#pragma unroll
      for (int offset = 16; offset; offset >>= 1) squares += __shfl_xor_sync(~0u, squares, offset);
      const float scale = rsqrtf(squares / kHeadDim + p.eps);
#pragma unroll
      for (int i = 0; i < kPer; ++i) x[i] *= scale * ptx::to_float(weight[i]);
    }
#pragma unroll
    for (int i = 0; i < kPer; ++i) {
      const float other = __shfl_xor_sync(~0u, x[i], 16);  // half a head away
      x[i] = x[i] * ptx::to_float(cos[i]) + other * ptx::to_float(sin[i]);
    }
  }

  __device__ __forceinline__ void store_row(T* row) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
    for (int i = 0; i < kPer; ++i) row[kPer * lane + i] = ptx::from_float<T>(x[i]);
  }

  __device__ __forceinline__ void store_swizzled(T* rows, int row) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    char* const at = reinterpret_cast<char*>(rows) + SwizzledRows<T, kHeadDim>::element_offset(row, kPer * lane);
#pragma unroll
    for (int i = 0; i < kPer; ++i) reinterpret_cast<T*>(at)[i] = ptx::from_float<T>(x[i]);
  }

 private:
  __device__ __forceinline__ bool is_value(const AttentionParams& p) const { return head >= p.heads + p.kv_heads; }

  static __device__ __forceinline__ void load_elements(T (&to)[kPer], const T* from) {
    if constexpr (kPer == 4) {
      const uint2 words = __ldg(reinterpret_cast<const uint2*>(from));
      memcpy(to, &words, sizeof(words));
    } else {
      const unsigned word = __ldg(reinterpret_cast<const unsigned*>(from));
      memcpy(to, &word, sizeof(word));
    }
  }
};

/// Brings tiles of the cache into this warp's ring.
template <typename T, int kHeadDim>
class TileLoader {
 public:
  __device__ __forceinline__ TileLoader(const AttentionParams& p, int kv_head, int position)
      : p_(p), position_(position), row_elements_(static_cast<std::int64_t>(p.kv_heads) * kHeadDim) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    column_ = kv_head * kHeadDim + lane % kPieces * 8;
    row_ = lane / kPieces;
    piece_ = lane % kPieces;
  }

  __device__ __forceinline__ int page_of(int tile) const {
    return __ldg(p_.page_table + tile * kTile / p_.page_tokens);
  }

  __device__ __forceinline__ void copy(TilePair<T, kHeadDim>& to, int tile, int page) const {
    const std::uint32_t keys = ptx::shared_address(to.keys);
    const std::uint32_t values = ptx::shared_address(to.values);
    const std::int64_t first =
        (static_cast<std::int64_t>(page) * p_.page_tokens + tile * kTile % p_.page_tokens) * row_elements_ + column_;
#pragma unroll
    for (int row = 0; row < kTile; row += kRowsAtOnce) {
      const std::int64_t offset = first + (row + row_) * row_elements_;
      const bool there = tile * kTile + row + row_ < position_;
      const std::uint32_t place = SwizzledRows<T, kHeadDim>::offset(row + row_, piece_);
      ptx::copy_async_16(keys + place, static_cast<const T*>(p_.keys) + offset, there);
      ptx::copy_async_16(values + place, static_cast<const T*>(p_.values) + offset, there);
    }
  }

 private:
  static constexpr int kPieces = kHeadDim / 8;
  static constexpr int kRowsAtOnce = 32 / kPieces;

  const AttentionParams& p_;
  int position_;
  std::int64_t row_elements_;
  int column_, row_, piece_;
};

template <typename T, int kHeadDim, int kQueryTiles, int kBlocks>
__global__ void __launch_bounds__(Shared<T, kHeadDim, kQueryTiles, kBlocks>::kThreads, 2)
    decode_attention(const __grid_constant__ AttentionParams p, int rows) {
  extern __shared__ __align__(128) unsigned char bytes[];
  using Memory = Shared<T, kHeadDim, kQueryTiles, kBlocks>;
  constexpr int kWarps = Memory::kWarps;
  constexpr int kThreads = Memory::kThreads;
  Memory& shared = *reinterpret_cast<Memory*>(bytes);
  const int block = static_cast<int>(ptx::cluster_block_rank());
  const int cluster_index = static_cast<int>(blockIdx.x) / kBlocks;
  const int kv_head = cluster_index % p.kv_heads;
  const int first_query = cluster_index / p.kv_heads * Memory::kAll;
  const int group = p.heads / p.kv_heads;  // query heads of a KV head; query i is head i % group of row i / group
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = thread / 32;

  ptx::launch_dependents();
  ptx::cluster_arrive_relaxed();
  record(p.marks, Mark::started);

  // --- What earlier steps have left in the cache: independent of the kernel before.
  const int position = p.state->position;
  const int valid_rows = min(p.state->rows, rows);
  const int tiles = (position + kTile - 1) / kTile;
  constexpr int kStages = Memory::kStages;
  constexpr int kStride = kBlocks * kWarps;
  const int first_tile = block * kWarps + warp;
  const TileLoader<T, kHeadDim> loader(p, kv_head, position);
  auto& ring = shared.warps[warp].ring;
#pragma unroll
  for (int stage = 0; stage < kStages; ++stage) {
    const int tile = first_tile + stage * kStride;
    if (tile < tiles) loader.copy(ring[stage], tile, loader.page_of(tile));
    ptx::copy_async_commit();
  }
  const bool last_block = block == kBlocks - 1;  // has the fewest tiles, and attends to the rows of this step
  if (last_block) {
    auto* const words = reinterpret_cast<uint4*>(&shared.new_rows);
    for (int i = thread; i < static_cast<int>(sizeof(shared.new_rows) / sizeof(uint4)); i += kThreads) {
      words[i] = {0, 0, 0, 0};
    }
    __syncthreads();
  }

  // --- This step's rows: queries of this cluster; new keys and values.
  ptx::wait_for_predecessors();
  record(p.marks, Mark::released);
  constexpr int kQueriesOfWarp = Memory::kAll / kWarps;
  HeadVector<T, kHeadDim> queries[kQueriesOfWarp];
  HeadVector<T, kHeadDim> added;
  const int new_vectors = last_block ? 2 * valid_rows : 0;
  const auto load_added = [&](int i) {
    added.load(p, i / 2, p.heads + i % 2 * p.kv_heads + kv_head, position + i / 2);
  };
  if (warp < new_vectors) load_added(warp);
#pragma unroll
  for (int i = 0; i < kQueriesOfWarp; ++i) {
    // Rows beyond the valid ones are computed like the last valid one; nobody reads their results.
    const int query = first_query + warp * kQueriesOfWarp + i;
    const int row = min(query / group, valid_rows - 1);
    queries[i].load(p, row, kv_head * group + query % group, position + row);
  }
#pragma unroll
  for (int i = 0; i < kQueriesOfWarp; ++i) {
    queries[i].finish(p);
    queries[i].store_swizzled(shared.queries, warp * kQueriesOfWarp + i);
  }
  for (int i = warp; i < new_vectors; i += kWarps) {
    if (i != warp) load_added(i);
    added.finish(p);
    const bool is_key = i % 2 == 0;
    const int row = i / 2;
    added.store_swizzled(is_key ? shared.new_rows.keys : shared.new_rows.values, row);
    if (first_query == 0) {
      const int at = position + row;
      const std::int64_t page = __ldg(p.page_table + at / p.page_tokens);
      added.store_row(static_cast<T*>(is_key ? p.keys : p.values) +
                      ((page * p.page_tokens + at % p.page_tokens) * p.kv_heads + kv_head) * kHeadDim);
    }
  }
  __syncthreads();

  record(p.marks, Mark::first);  // queries and new rows are there

  const std::uint32_t query_rows = ptx::shared_address(shared.queries);
  const float scale = p.scale * 1.44269504f;
  Accumulator<T, kHeadDim, kQueryTiles> accumulator;
  int stage = 0;
  int next_page = first_tile + kStages * kStride < tiles ? loader.page_of(first_tile + kStages * kStride) : 0;
  for (int tile = first_tile; tile < tiles; tile += kStride) {
    const int ahead = tile + kStages * kStride;
    const int page = next_page;
    if (ahead + kStride < tiles) next_page = loader.page_of(ahead + kStride);
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
  record(p.marks, Mark::second);  // all tiles of the block are done

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
  record(p.marks, Mark::third);  // the others' shares have arrived

  for (int i = thread; i < Memory::kShare; i += kThreads) {
    const int merged = (block * Memory::kShare + i) / kHeadDim;  // the query
    const int element = (block * Memory::kShare + i) % kHeadDim;
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
    const int row = (first_query + merged) / group;
    const int head = kv_head * group + (first_query + merged) % group;
    if (row < rows) {
      static_cast<T*>(p.output)[activation_index(rows, row, head * kHeadDim + element)] =
          ptx::from_float<T>(value / total);
    }
  }
  record(p.marks, Mark::ended);
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

template <typename T, int kHeadDim, int kQueryTiles, int kBlocks>
void launch(const AttentionParams& params, int rows, bool dependent, cudaStream_t stream) {
  using Memory = Shared<T, kHeadDim, kQueryTiles, kBlocks>;
  const int queries = rows * params.heads / params.kv_heads;
  const int clusters = params.kv_heads * ((queries + Memory::kAll - 1) / Memory::kAll);
  const LaunchShape shape{dim3(static_cast<unsigned>(clusters * kBlocks)), Memory::kThreads, sizeof(Memory), kBlocks,
                          dependent};
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
void launch_shape(const AttentionParams& params, int rows, int cluster, bool dependent, cudaStream_t stream) {
  // Several clusters a KV head fill the GPU with small ones.
  if (rows * params.heads / params.kv_heads > 2 * kQueries) cluster = 8;
  if (params.head_dim == 64 && cluster == 8) return launch_tiles<T, 64, 8>(params, rows, dependent, stream);
  if (params.head_dim == 64 && cluster == 16) return launch_tiles<T, 64, 16>(params, rows, dependent, stream);
  if (params.head_dim == 128 && cluster == 8) return launch_tiles<T, 128, 8>(params, rows, dependent, stream);
  if (params.head_dim == 128 && cluster == 16) return launch_tiles<T, 128, 16>(params, rows, dependent, stream);
  fail_launch("decode_attention", "head_dim must be 64 or 128, a cluster 8 or 16 blocks");
}

template <typename T, int kHeadDim>
bool takes_16_blocks() {
  using Memory = Shared<T, kHeadDim, 2, 16>;  // the larger one
  cudaLaunchConfig_t config{};
  config.gridDim = 16;
  config.blockDim = Memory::kThreads;
  config.dynamicSmemBytes = sizeof(Memory);
  cudaLaunchAttribute attribute;
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim = {16, 1, 1};
  config.attrs = &attribute;
  config.numAttrs = 1;
  int clusters = 0;
  const cudaError_t status =
      cudaOccupancyMaxActiveClusters(&clusters, configured_kernel<T, kHeadDim, 2, 16>(), &config);
  cudaGetLastError();  // a refusal is an answer
  return status == cudaSuccess && clusters > 0;
}

template <typename T>
bool takes_16_blocks(int head_dim) {
  return head_dim == 64 ? takes_16_blocks<T, 64>() : takes_16_blocks<T, 128>();
}

}  // namespace

int attention_cluster_size(ElementType type, int head_dim) {
  const bool takes_16 =
      type == ElementType::bfloat16 ? takes_16_blocks<__nv_bfloat16>(head_dim) : takes_16_blocks<__half>(head_dim);
  return takes_16 ? 16 : 8;
}

void launch_decode_attention(const AttentionParams& params, ElementType type, int rows, int cluster, bool dependent,
                             cudaStream_t stream) {
  if (rows < 1 || rows > kMaxStepRows || params.heads % params.kv_heads != 0) {
    fail_launch("decode_attention", "rows must be 1 to 16, and KV heads divide the heads");
  }
  if (type == ElementType::bfloat16) {
    launch_shape<__nv_bfloat16>(params, rows, cluster, dependent, stream);
  } else {
    launch_shape<__half>(params, rows, cluster, dependent, stream);
  }
}

}  // namespace specthink
