#include "kernels/prefill_attention_device.h"

#include <algorithm>

#include "kernels/hopper.cuh"
#include "kernels/hopper.h"
#include "kernels/kernel_launch.cuh"
#include "kernels/ptx.cuh"
#include "kernels/wgmma.cuh"

namespace specthink {
namespace {

constexpr int kTile = kPrefillTile;
constexpr int kStages = 2;
constexpr int kGroups = 2;  // warpgroups that multiply
constexpr int kGroupThreads = 128;
constexpr int kConsumers = kGroups * kGroupThreads;
constexpr int kThreads = kConsumers + kGroupThreads;  // the last warpgroup copies
constexpr int kGroupRows = kTile / kGroups;
constexpr int kMaxBlocks = 160;  // more than Hopper GPUs have SMs
constexpr int kMinSteps = 2;     // of a block: fewer are not worth a merge
constexpr int kBeginSteps = 2;   // what the beginning of a tile of queries costs, in steps
constexpr float kNever = -INFINITY;
constexpr float kLog2E = 1.44269504f;
constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int kPanelBytes = kTile * ptx::kPanelRowBytes;

// Named barriers. The first kGroups: this warpgroup's turn to multiply.
constexpr int kTurn = 1;
constexpr int kQueries = kTurn + kGroups;
constexpr int kAllConsumers = kQueries + kGroups;

/// How the steps are dealt out. A position is a tile of queries (all those of KV head 0, then of 1, ...) and a tile of
/// its keys; block i goes from begin[i] to begin[i + 1]. Where a block has no whole tile of queries, its results are
/// parts: number 2·i for the first tile of queries that it works on, 2·i + 1 for the last.
struct Position {
  int query_tile;
  int key_tile;
};

struct Schedule {
  Position begin[kMaxBlocks + 1];
  int blocks;
};

/// A tile of queries whose keys went to blocks first, ..., first + count - 1.
struct SplitTile {
  int query_tile;
  int first;
  int count;
};

struct SplitTiles {
  SplitTile tiles[kMaxBlocks];
  int count;
};

/// Of the workspace, in floats: outputs before they are divided by their sum, [kTile, kHeadDim]; then (maximum of the
/// scores as an exponent of 2, sum) of each query.
template <int kHeadDim>
struct PartLayout {
  static constexpr int kStatistics = kTile * kHeadDim;
  static constexpr int kSize = kStatistics + 2 * kTile;
};

/// The tiles of queries and what they see.
struct QueryTiles {
  int group;    // query heads of a KV head; query i of a KV head is head i % group of row i / group
  int queries;  // of a KV head
  int tiles;    // of a KV head
  int cached;   // keys that every row sees, but for its own

  __host__ __device__ explicit QueryTiles(const PrefillAttentionParams& p)
      : group(p.heads / p.kv_heads),
        queries(p.rows * group),
        tiles((queries + kTile - 1) / kTile),
        cached(p.length - p.rows) {}

  /// Tiles of keys that some row of a tile sees.
  __host__ __device__ int key_tiles(int query_tile) const {
    const int end = (query_tile % tiles + 1) * kTile;
    const int last_row = ((end < queries ? end : queries) - 1) / group;
    return (cached + last_row) / kTile + 1;
  }
};

/// What a block does at a stretch: some or all keys of one tile of queries.
struct Segment {
  int kv_head;
  int first_query;
  int first_key_tile;
  int key_tiles;
  bool whole;  // all keys of the tile
  int part;    // where the result belongs if not
};

/// A block's segments, one after the other.
class Segments {
 public:
  __device__ Segments(const QueryTiles& tiles, const Schedule& schedule)
      : tiles_(tiles), at_(schedule.begin[blockIdx.x]), end_(schedule.begin[blockIdx.x + 1]) {}

  __device__ bool next(Segment& segment) {
    if (at_.query_tile > end_.query_tile || (at_.query_tile == end_.query_tile && at_.key_tile == end_.key_tile)) {
      return false;
    }
    const int all = tiles_.key_tiles(at_.query_tile);
    const int end = at_.query_tile == end_.query_tile ? end_.key_tile : all;
    segment.kv_head = at_.query_tile / tiles_.tiles;
    segment.first_query = at_.query_tile % tiles_.tiles * kTile;
    segment.first_key_tile = at_.key_tile;
    segment.key_tiles = end - at_.key_tile;
    segment.whole = segment.key_tiles == all;
    segment.part = 2 * static_cast<int>(blockIdx.x) + (first_ ? 0 : 1);
    at_ = {at_.query_tile + 1, 0};
    first_ = false;
    return true;
  }

 private:
  const QueryTiles& tiles_;
  Position at_;
  Position end_;
  bool first_ = true;
};

template <typename T, int kHeadDim>
struct Shared {
  static constexpr int kElements = kTile * kHeadDim;
  alignas(1024) T queries[kElements];
  alignas(1024) T keys[kStages][kElements];
  alignas(1024) T values[kStages][kElements];
  std::uint64_t keys_there[kStages];
  std::uint64_t keys_free[kStages];
  std::uint64_t values_there[kStages];
  std::uint64_t values_free[kStages];
};

/// One thread: copies the tiles of keys and values into the ring.
template <typename T, int kHeadDim>
__device__ void copy_tiles(const PrefillAttentionParams& p, Segments segments, Shared<T, kHeadDim>& shared) {
  constexpr int kPanels = kHeadDim / ptx::kPanelColumns;
  const auto copy = [&](T* to, const CUtensorMap& map, int kv_head, int tile, std::uint64_t& there) {
    const std::uint32_t barrier = ptx::shared_address(&there);
    ptx::barrier_arrive_and_expect(barrier, kPanels * kPanelBytes);
    for (int panel = 0; panel < kPanels; ++panel) {
      ptx::bulk_copy_box(ptx::shared_address(to) + panel * kPanelBytes, &map,
                         kv_head * kHeadDim + panel * ptx::kPanelColumns, p.first_cache_row + tile * kTile, barrier);
    }
  };
  int step = 0;
  for (Segment segment; segments.next(segment);) {
    for (int i = 0; i < segment.key_tiles; ++i, ++step) {
      const int stage = step % kStages;
      const std::uint32_t parity = step / kStages % 2;
      const int tile = segment.first_key_tile + i;
      if (step >= kStages) ptx::barrier_wait(ptx::shared_address(&shared.keys_free[stage]), parity ^ 1);
      copy(shared.keys[stage], p.keys, segment.kv_head, tile, shared.keys_there[stage]);
      if (step >= kStages) ptx::barrier_wait(ptx::shared_address(&shared.values_free[stage]), parity ^ 1);
      copy(shared.values[stage], p.values, segment.kv_head, tile, shared.values_there[stage]);
    }
  }
}

/// A warpgroup's 64 queries: their running maximum, sum and output; each thread has two rows (wgmma.cuh).
template <typename T, int kHeadDim>
class Consumer {
 public:
  using Memory = Shared<T, kHeadDim>;

  __device__ Consumer(const PrefillAttentionParams& params, const QueryTiles& query_tiles, Memory& memory)
      : p(params), tiles(query_tiles), shared(memory), scale(params.scale * kLog2E) {
    thread = static_cast<int>(threadIdx.x) % kGroupThreads;
    group = static_cast<int>(threadIdx.x) / kGroupThreads;
    row = group * kGroupRows + thread / 32 * 16 + thread % 32 / 4;
  }

  __device__ void run(const Segment& segment) {
    begin(segment);
    if (group == 1 && segment.key_tiles > 1) ptx::named_barrier_arrive<kConsumers>(kTurn);  // the other has the first turn
    wait(shared.keys_there, step);
    multiply_keys();
    ptx::product_wait<0>();
    ptx::pin(scores);
    release(shared.keys_free, step);
    float factor[2];
    soften(segment.first_key_tile, factor);
    pack_probabilities();
    for (int i = 1; i < segment.key_tiles; ++i) {
      const int before = step++;
      wait(shared.keys_there, step);
      ptx::named_barrier_sync<kConsumers>(kTurn + group);
      multiply_keys();
      wait(shared.values_there, before);
      multiply_values(before);
      const bool last = i + 1 == segment.key_tiles;
      if (group == 0 || !last) ptx::named_barrier_arrive<kConsumers>(kTurn + 1 - group);
      ptx::product_wait<1>();
      ptx::pin(scores);
      release(shared.keys_free, step);
      soften(segment.first_key_tile + i, factor);
      ptx::product_wait<0>();
      ptx::pin(output);
      release(shared.values_free, before);
      pack_probabilities();
#pragma unroll
      for (int j = 0; j < kHeadDim / 2; ++j) output[j] *= factor[j / 2 % 2];
    }
    wait(shared.values_there, step);
    clear_values_beyond_the_end(segment.first_key_tile + segment.key_tiles - 1);
    multiply_values(step);
    ptx::product_wait<0>();
    ptx::pin(output);
    release(shared.values_free, step);
    ++step;
    for (float& value : sum) {
      value += __shfl_xor_sync(kAllLanes, value, 1);
      value += __shfl_xor_sync(kAllLanes, value, 2);
    }
  }

  /// The result of a whole tile of queries.
  __device__ void write_output(const Segment& segment) const {
    for (int half = 0; half < 2; ++half) {
      const int query = segment.first_query + row + 8 * half;
      if (query >= tiles.queries) continue;
      T* to = static_cast<T*>(p.output) + head_of(segment.kv_head, query) * kHeadDim + thread % 4 * 2;
      const float inverse = 1.0f / sum[half];
#pragma unroll
      for (int j = 0; j < kHeadDim / 8; ++j) {
        *reinterpret_cast<std::uint32_t*>(to + 8 * j) =
            ptx::pack<T>(output[4 * j + 2 * half] * inverse, output[4 * j + 2 * half + 1] * inverse);
      }
    }
  }

  /// What merge_parts() makes a result of.
  __device__ void write_part(const Segment& segment) const {
    float* part = p.workspace + static_cast<std::int64_t>(segment.part) * PartLayout<kHeadDim>::kSize;
    for (int half = 0; half < 2; ++half) {
      const int in_tile = row + 8 * half;
      if (segment.first_query + in_tile >= tiles.queries) continue;
      float* to = part + in_tile * kHeadDim + thread % 4 * 2;
#pragma unroll
      for (int j = 0; j < kHeadDim / 8; ++j) {
        *reinterpret_cast<float2*>(to + 8 * j) = {output[4 * j + 2 * half], output[4 * j + 2 * half + 1]};
      }
      if (thread % 4 == 0) {
        *reinterpret_cast<float2*>(part + PartLayout<kHeadDim>::kStatistics + 2 * in_tile) = {highest[half] * scale,
                                                                                             sum[half]};
      }
    }
  }

 private:
  __device__ static void wait(std::uint64_t (&barriers)[kStages], int at) {
    ptx::barrier_wait(ptx::shared_address(&barriers[at % kStages]), at / kStages % 2);
  }
  __device__ void release(std::uint64_t (&barriers)[kStages], int at) const {
    if (thread % 32 == 0) ptx::barrier_arrive(ptx::shared_address(&barriers[at % kStages]));
  }

  /// Row of queries and output, [rows · heads, kHeadDim].
  __device__ std::int64_t head_of(int kv_head, int query) const {
    return static_cast<std::int64_t>(query / tiles.group) * p.heads + kv_head * tiles.group + query % tiles.group;
  }

  __device__ void begin(const Segment& segment) {
    for (int half = 0; half < 2; ++half) {
      const int query_row = (segment.first_query + row + 8 * half) / tiles.group;
      last_key[half] = min(tiles.cached + query_row, p.length - 1);
      highest[half] = kNever;
      sum[half] = 0;
    }
    first_hidden = tiles.cached + segment.first_query / tiles.group + 1;
    for (float& value : output) value = 0;
    load_queries(segment);
  }

  /// This warpgroup's queries, swizzled as a bulk copy would leave them; those beyond the last are zeros.
  __device__ void load_queries(const Segment& segment) const {
    constexpr int kPieces = kHeadDim / 8;  // of 16 bytes
    auto* const to = reinterpret_cast<unsigned char*>(shared.queries);
    ptx::named_barrier_sync<kGroupThreads>(kQueries + group);  // all warps are done with the ones before
#pragma unroll
    for (int i = thread; i < kGroupRows * kPieces; i += kGroupThreads) {
      const int in_tile = group * kGroupRows + i / kPieces;
      const int piece = i % kPieces;
      const int query = segment.first_query + in_tile;
      uint4 words{};
      if (query < tiles.queries) {
        words = *reinterpret_cast<const uint4*>(static_cast<const T*>(p.queries) +
                                                head_of(segment.kv_head, query) * kHeadDim + piece * 8);
      }
      *reinterpret_cast<uint4*>(to + piece / 8 * kPanelBytes + in_tile * ptx::kPanelRowBytes +
                                (piece % 8 ^ in_tile % 8) * 16) = words;
    }
    ptx::proxy_fence_shared();
    ptx::named_barrier_sync<kGroupThreads>(kQueries + group);
  }

  /// scores = queries · keysᵀ of this step, begun.
  __device__ void multiply_keys() {
    const std::uint32_t a = ptx::shared_address(shared.queries) + group * kGroupRows * ptx::kPanelRowBytes;
    const std::uint32_t b = ptx::shared_address(shared.keys[step % kStages]);
    ptx::pin(scores);
    ptx::product_fence();
#pragma unroll
    for (int k = 0; k < kHeadDim / 16; ++k) {
      const std::uint32_t offset = k / 4 * kPanelBytes + k % 4 * 32;
      ptx::multiply_panels<T>(scores, ptx::panel_descriptor(a + offset), ptx::panel_descriptor(b + offset), k > 0);
    }
    ptx::product_commit();
  }

  /// output += probabilities · values of step `at`, begun.
  __device__ void multiply_values(int at) {
    const std::uint32_t b = ptx::shared_address(shared.values[at % kStages]);
    ptx::pin(output);
    ptx::pin(probabilities);
    ptx::product_fence();
#pragma unroll
    for (int k = 0; k < kTile / 16; ++k) {
      ptx::multiply_registers<T>(output, probabilities + 4 * k,
                                 ptx::panel_descriptor(b + k * 16 * ptx::kPanelRowBytes, kPanelBytes));
    }
    ptx::product_commit();
  }

  /// Scores of a tile of keys become exp(score − maximum); `factor` is what earlier outputs are multiplied with.
  __device__ void soften(int key_tile, float (&factor)[2]) {
    const int first_key = key_tile * kTile;
    if (first_key + kTile > first_hidden) {
#pragma unroll
      for (int j = 0; j < kTile / 2; ++j) {
        const int key = first_key + j / 4 * 8 + thread % 4 * 2 + j % 2;
        if (key > last_key[j / 2 % 2]) scores[j] = kNever;
      }
    }
    for (int half = 0; half < 2; ++half) {
      float most = highest[half];
#pragma unroll
      for (int j = 0; j < kTile / 8; ++j) {
        most = fmaxf(most, fmaxf(scores[4 * j + 2 * half], scores[4 * j + 2 * half + 1]));
      }
      most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, 1));
      most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, 2));
      const float shift = most == kNever ? 0.0f : most * scale;  // nothing seen so far
      factor[half] = exp2f(highest[half] * scale - shift);
      highest[half] = most;
      float added = 0;
#pragma unroll
      for (int j = 0; j < kTile / 8; ++j) {
        for (int k = 0; k < 2; ++k) {
          float& score = scores[4 * j + 2 * half + k];
          score = exp2f(score * scale - shift);
          added += score;
        }
      }
      sum[half] = sum[half] * factor[half] + added;
    }
  }

  /// The first operand of the next product: its layout is that of the scores.
  __device__ void pack_probabilities() {
#pragma unroll
    for (int j = 0; j < kTile / 4; ++j) probabilities[j] = ptx::pack<T>(scores[2 * j], scores[2 * j + 1]);
  }

  /// Rows of the last tile that are not part of the sequence: their probability is 0, but 0 times what happens to be in
  /// the cache need not be.
  __device__ void clear_values_beyond_the_end(int key_tile) const {
    const int valid = p.length - key_tile * kTile;
    if (valid >= kTile) return;
    auto* const words = reinterpret_cast<unsigned char*>(shared.values[step % kStages]);
    constexpr int kPieces = kHeadDim / 8;
    for (int k = valid * kPieces + static_cast<int>(threadIdx.x); k < kTile * kPieces; k += kConsumers) {
      const int piece = k % kPieces;
      *reinterpret_cast<uint4*>(words + piece / 8 * kPanelBytes + k / kPieces * ptx::kPanelRowBytes + piece % 8 * 16) =
          uint4{};
    }
    ptx::proxy_fence_shared();
    ptx::named_barrier_sync<kConsumers>(kAllConsumers);
  }

  const PrefillAttentionParams& p;
  const QueryTiles& tiles;
  Memory& shared;
  const float scale;  // of the scores, as exponents of 2
  int thread;         // of the warpgroup
  int group;          // this warpgroup
  int row;            // of the tile of queries; the thread's other row is 8 further
  int step = 0;       // of the block: which part of the ring
  int last_key[2];    // that each row sees
  int first_hidden;   // first key that some row of the tile does not see
  float scores[kTile / 2];
  std::uint32_t probabilities[kTile / 4];
  float output[kHeadDim / 2];
  float highest[2];  // of the scores before scaling
  float sum[2];      // this thread's columns, until run() ends
};

template <typename T, int kHeadDim>
__global__ void __launch_bounds__(kThreads, 1) prefill_attention(const __grid_constant__ PrefillAttentionParams p,
                                                                 const __grid_constant__ Schedule schedule) {
#if SPECTHINK_WGMMA_CODE
  extern __shared__ __align__(1024) unsigned char bytes[];
  auto& shared = *reinterpret_cast<Shared<T, kHeadDim>*>(bytes);
  const QueryTiles tiles(p);
  Segments segments(tiles, schedule);

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
  ptx::wait_for_predecessors();
  ptx::launch_dependents();

  if (threadIdx.x >= kConsumers) {
    ptx::give_registers_back<24>();
    if (threadIdx.x == kConsumers) copy_tiles(p, segments, shared);
    return;
  }
  ptx::take_registers<240>();
  Consumer<T, kHeadDim> consumer(p, tiles, shared);
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

/// Blocks (some queries of a tile, split tile). Each of the `warps` that share a query adds up some of its parts.
constexpr int kMergeWarps = 8;
template <typename T, int kHeadDim>
__global__ void __launch_bounds__(kMergeWarps * 32)
    merge_parts(const __grid_constant__ PrefillAttentionParams p, const __grid_constant__ Schedule schedule,
                const __grid_constant__ SplitTiles splits, int warps) {
#if SPECTHINK_WGMMA_CODE
  constexpr int kElements = kHeadDim / 32;  // of a lane
  __shared__ float outputs[kMergeWarps][kHeadDim];
  __shared__ float2 statistics[kMergeWarps];
  const QueryTiles tiles(p);
  const SplitTile split = splits.tiles[blockIdx.y];
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int in_tile = static_cast<int>(blockIdx.x) * (kMergeWarps / warps) + warp / warps;
  const int query = split.query_tile % tiles.tiles * kTile + in_tile;

  ptx::wait_for_predecessors();
  float2 total{kNever, 0};  // highest, sum
  float output[kElements] = {};
  if (in_tile < kTile && query < tiles.queries) {
#pragma unroll 4
    for (int i = warp % warps; i < split.count; i += warps) {
      const int block = split.first + i;
      const bool first_of_block = schedule.begin[block].query_tile == split.query_tile;
      const float* part =
          p.workspace + static_cast<std::int64_t>(2 * block + (first_of_block ? 0 : 1)) * PartLayout<kHeadDim>::kSize;
      const float2 own = *reinterpret_cast<const float2*>(part + PartLayout<kHeadDim>::kStatistics + 2 * in_tile);
      float values[kElements];
#pragma unroll
      for (int k = 0; k < kElements; ++k) values[k] = part[in_tile * kHeadDim + k * 32 + lane];
      const float most = fmaxf(total.x, own.x);
      if (most == kNever) continue;  // this query sees none of these keys
      const float before = exp2f(total.x - most);
      const float now = exp2f(own.x - most);
      total = {most, total.y * before + own.y * now};
#pragma unroll
      for (int k = 0; k < kElements; ++k) output[k] = output[k] * before + values[k] * now;
    }
  }
  if (warps > 1) {
#pragma unroll
    for (int k = 0; k < kElements; ++k) outputs[warp][k * 32 + lane] = output[k];
    if (lane == 0) statistics[warp] = total;
    __syncthreads();
    if (warp % warps != 0) return;
    float highest = kNever;
    for (int w = warp; w < warp + warps; ++w) highest = fmaxf(highest, statistics[w].x);
    total = {highest, 0};
#pragma unroll
    for (int k = 0; k < kElements; ++k) output[k] = 0;
    for (int w = warp; w < warp + warps; ++w) {
      const float weight = exp2f(statistics[w].x - highest);
      total.y += weight * statistics[w].y;
#pragma unroll
      for (int k = 0; k < kElements; ++k) output[k] += weight * outputs[w][k * 32 + lane];
    }
  }
  if (in_tile >= kTile || query >= tiles.queries) return;
  const std::int64_t head = static_cast<std::int64_t>(query / tiles.group) * p.heads +
                            split.query_tile / tiles.tiles * tiles.group + query % tiles.group;
#pragma unroll
  for (int k = 0; k < kElements; ++k) {
    static_cast<T*>(p.output)[head * kHeadDim + k * 32 + lane] = ptx::from_float<T>(output[k] / total.y);
  }
#endif
}

/// Deals the steps out to at most `most_blocks` blocks.
void deal_out(const PrefillAttentionParams& p, int most_blocks, Schedule& schedule, SplitTiles& splits) {
  const QueryTiles tiles(p);
  std::int64_t steps = 0;
  for (int tile = 0; tile < tiles.tiles; ++tile) steps += tiles.key_tiles(tile);
  steps *= p.kv_heads;
  const std::int64_t cost = steps + std::int64_t{kBeginSteps} * tiles.tiles * p.kv_heads;
  schedule.blocks = static_cast<int>(std::clamp<std::int64_t>(steps / kMinSteps, 1, most_blocks));
  const auto begin_of = [&](int block) { return cost * block / schedule.blocks; };

  splits.count = 0;
  int block = 0;  // the first that has not begun
  std::int64_t tile_begin = 0;
  for (int tile = 0; tile < tiles.tiles * p.kv_heads; ++tile) {
    const std::int64_t first_step = tile_begin + kBeginSteps;
    const std::int64_t tile_end = first_step + tiles.key_tiles(tile);
    int first = block - 1;
    for (; block < schedule.blocks && begin_of(block) < tile_end; ++block) {
      const auto step = static_cast<int>(std::max<std::int64_t>(begin_of(block) - first_step, 0));
      if (step == 0) first = block;
      schedule.begin[block] = {tile, step};
    }
    if (block - first > 1) splits.tiles[splits.count++] = {tile, first, block - first};
    tile_begin = tile_end;
  }
  schedule.begin[schedule.blocks] = {tiles.tiles * p.kv_heads, 0};
}

/// One a SM.
int blocks_of(int device) {
  int count = 0;
  if (cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device) != cudaSuccess) {
    check_launch("prefill_attention");
  }
  return std::clamp(count, 1, kMaxBlocks);
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
  Schedule schedule;
  SplitTiles splits;
  deal_out(p, blocks, schedule, splits);
  const LaunchShape shape{dim3(static_cast<unsigned>(schedule.blocks)), kThreads, sizeof(Shared<T, kHeadDim>), 1, true};
  launch_kernel("prefill_attention", prefill_attention<T, kHeadDim>, shape, stream, p, schedule);
  if (splits.count == 0) return;
  int most_parts = 0;
  for (int i = 0; i < splits.count; ++i) most_parts = std::max(most_parts, splits.tiles[i].count);
  int warps = 1;  // that share a query: more shorten the wait for many parts, and are idle for few
  while (warps < kMergeWarps && 3 * warps < most_parts) warps *= 2;
  const int queries = std::min(kTile, p.rows * (p.heads / p.kv_heads));
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

std::size_t prefill_attention_workspace(int device, int head_dim) {
  const int floats = head_dim == 64 ? PartLayout<64>::kSize : PartLayout<128>::kSize;
  return std::size_t{2} * static_cast<std::size_t>(blocks_of(device)) * static_cast<std::size_t>(floats) * sizeof(float);
}

void launch_prefill_attention(const PrefillAttentionParams& params, ElementType type, cudaStream_t stream) {
  if (params.rows < 1 || params.rows > params.length || params.kv_heads < 1 || params.heads % params.kv_heads != 0) {
    fail_launch("prefill_attention", "rows must be 1 to length, and KV heads divide the heads");
  }
  if (type == ElementType::bfloat16) {
    launch_type<__nv_bfloat16>(params, stream);
  } else {
    launch_type<__half>(params, stream);
  }
}

}  // namespace specthink
