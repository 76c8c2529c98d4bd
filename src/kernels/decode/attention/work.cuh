// What a block of the attention works on, and in which shared memory; used by attention_kernel.cuh alone.
#pragma once

#include "kernels/decode/attention/tiles.cuh"
#include "kernels/device/ptx.cuh"

namespace specthink::inline kernels {

/// Few queries leave a warp waiting for its own instructions: more of them hide that. With more queries the merge and
/// the shared memory of more warps cost more than they gain.
constexpr int warps_of_block(int query_tiles) { return query_tiles == 1 ? 8 : 4; }
/// Of the blocks of many sequences, which take turns: two fit an SM, and one computes while the other begins or merges.
constexpr int kWarpsOfBatch = 4;

/// Shared memory of a block of kWarpsOfBlock that works on kQueryTiles x 8 queries in a cluster of kBlocks.
template <typename T, int kHeadDim, int kQueryTiles, int kBlocks, int kWarpsOfBlock = warps_of_block(kQueryTiles)>
struct Shared {
  static constexpr int kAll = kQueries * kQueryTiles;
  static constexpr int kWarps = kWarpsOfBlock;
  static constexpr int kThreads = kWarps * 32;
  static constexpr int kStages = 2;                         // tiles of K and V that a warp has in flight
  static constexpr int kStride = kHeadDim + 4;              // lanes that store together are in different banks
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
  alignas(128) TilePair<T, kHeadDim> new_rows;  // this step's; zeros beyond them
  alignas(128) T queries[kAll * kHeadDim];
  // What the blocks of the cluster send: this block's share of their results, and the maxima and sums of all queries.
  float inbox[kBlocks][kShare];
  float inbox_highest[kBlocks][kAll];
  float inbox_sum[kBlocks][kAll];
};

/// What a cluster works on: some queries of a sequence, where query i is head i % group of row i / group.
struct AttentionWork {
  int rows = 0;   // the step has so many
  int group = 0;  // query heads per KV head
  int kv_head = 0;
  int slot = 0;             // whose sequence it is
  int position = 0;         // where the sequence's first row of the step stands
  int valid_rows = 0;       // the sequence has so many; 0: nothing to do
  int first_row = 0;        // the sequence's first among the rows of the step
  int first_query = 0;      // the cluster's first of the sequence
  int block = 0;            // which block of the cluster this is
  int helpers = 0;          // helper clusters launched per KV head
  int helping = 0;          // so many of them have a part of this context
  int helper = -1;          // which of these this cluster is; -1: the main cluster
  int first_helper = 0;     // the first of these among those launched
  unsigned first_main = 0;  // the grid's first block of a main cluster

  __device__ __forceinline__ bool is_helper() const { return helper >= 0; }

  /// Queries of the cluster that somebody reads the results of. Of one sequence all rows of the step count, so that what
  /// is multiplied later are numbers.
  template <bool kEntries>
  __device__ __forceinline__ int queries() const {
    return (kEntries ? valid_rows : rows) * group - first_query;
  }
};

/// The one sequence of the step: the clusters of the helpers, then those of the query tiles.
template <int kQueryTiles, int kBlocks>
__device__ __forceinline__ AttentionWork work_of_sequence(const AttentionParams& p, int rows) {
  AttentionWork work;
  const int cluster = static_cast<int>(blockIdx.x) / kBlocks;
  work.block = static_cast<int>(ptx::cluster_block_rank());
  work.kv_head = cluster % p.kv_heads;
  work.group = p.heads / p.kv_heads;
  work.rows = rows;
  work.first_query = kQueryTiles == 1 ? 0 : cluster / p.kv_heads * kQueryTiles * kQueries;
  work.helpers = kQueryTiles == 1 ? p.split.helpers : 0;
  work.helper = cluster < work.helpers * p.kv_heads ? cluster / p.kv_heads : -1;
  work.first_main = work.helpers * p.kv_heads * kBlocks;
  const StepEntry entry = p.layout->entries[0];
  work.position = entry.position;
  work.valid_rows = min(entry.rows, rows);
  work.slot = entry.slot;
  work.helping = work.position >= p.split.from_position ? work.helpers : 0;
  return work;
}

constexpr int kWholeContext = 1 << 30;  // tiles of a part: more than there are

/// Tiles of eight queries of an entry.
__device__ __forceinline__ int query_tiles(const StepEntry& entry, int group) {
  return (entry.rows * group + kQueries - 1) / kQueries;
}

/// Parts of an entry's context, one of them the main cluster's, where a part has so many tiles.
__device__ __forceinline__ int parts_of(const StepEntry& entry, int tiles_of_part) {
  const int tiles = (entry.position + kTile - 1) / kTile;
  return min(max((tiles + tiles_of_part - 1) / tiles_of_part, 1), 1 + kMaxEntryHelpers);
}

/// Lane l of each warp looks at the entries l, l + 32 …
template <typename What>
__device__ __forceinline__ void each_entry(const AttentionParams& p, int rows, const What& what) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int first = 0; first < rows; first += 32) {
    StepEntry entry{};
    if (first + lane < rows) entry = p.layout->entries[first + lane];
    if (!what(entry)) return;
  }
}

/// Tiles of a part: the fewest with which the parts of all entries are no more than may be.
__device__ __forceinline__ int tiles_of_part(const AttentionParams& p, int rows, int least_part) {
  const int group = p.heads / p.kv_heads;
  int items = 0;
  int tiles = 0;
  each_entry(p, rows, [&](const StepEntry& entry) {
    const int of_entry = query_tiles(entry, group);
    items += of_entry;
    tiles += of_entry * ((entry.position + kTile - 1) / kTile);
    return true;
  });
  const int most = most_entry_parts(__reduce_add_sync(~0u, items), p.split.at_once, p.split.helpers);
  int part = max(least_part, (__reduce_add_sync(~0u, tiles) + most - 1) / most);
  constexpr int kTries = 16;  // an eighth more each: eight times as much in the end
  for (int i = 0; i < kTries; ++i) {
    int parts = 0;
    each_entry(p, rows, [&](const StepEntry& entry) {
      parts += query_tiles(entry, group) * parts_of(entry, part);
      return true;
    });
    if (__reduce_add_sync(~0u, parts) <= most) return part;
    part += (part + 7) / 8;
  }
  return kWholeContext;
}

/// A part of the context for a query tile of one of the step's sequences: first the helpers of the first tile of the
/// first sequence, of its second tile …, then the main clusters in the same order. Every warp finds it by itself.
template <int kBlocks>
__device__ __forceinline__ AttentionWork work_of_entries(const AttentionParams& p, int rows) {
  AttentionWork work;
  const int cluster = static_cast<int>(blockIdx.x) / kBlocks;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  work.block = static_cast<int>(ptx::cluster_block_rank());
  work.kv_head = cluster % p.kv_heads;
  work.group = p.heads / p.kv_heads;
  work.rows = rows;
  work.helpers = p.split.helpers;
  work.first_main = work.helpers * p.kv_heads * kBlocks;
  const bool helps = cluster / p.kv_heads < work.helpers;
  const int wanted = cluster / p.kv_heads - (helps ? 0 : work.helpers);
  const int part = work.helpers > 0 ? *p.split.tiles_of_part : kWholeContext;
  constexpr int kHelperBits = 16;  // of two counts in one word: helpers above, tiles below
  int before = 0;                  // of the entries looked at so far
  each_entry(p, rows, [&](const StepEntry& entry) {
    const int tiles = query_tiles(entry, work.group);
    const int helping = parts_of(entry, part) - 1;
    const int own = (tiles * helping << kHelperBits) + tiles;
    int up_to_here = before + own;
#pragma unroll
    for (int offset = 1; offset < 32; offset *= 2) {
      const int added = __shfl_up_sync(~0u, up_to_here - before, offset);
      if (lane >= offset) up_to_here += added;
    }
    const auto count = [&](int both) { return helps ? both >> kHelperBits : both & ((1 << kHelperBits) - 1); };
    const int first = up_to_here - own;
    const unsigned owner = __ballot_sync(~0u, count(first) <= wanted && wanted < count(up_to_here));
    if (owner == 0) {
      before = __shfl_sync(~0u, up_to_here, 31);
      return true;
    }
    const int source = __ffs(static_cast<int>(owner)) - 1;
    work.position = __shfl_sync(~0u, entry.position, source);
    work.valid_rows = __shfl_sync(~0u, entry.rows, source);
    work.first_row = __shfl_sync(~0u, entry.first_row, source);
    work.slot = __shfl_sync(~0u, entry.slot, source);
    work.helping = __shfl_sync(~0u, helping, source);
    const int before_entry = __shfl_sync(~0u, first, source);
    const int in_entry = wanted - count(before_entry);
    const int tile = helps ? in_entry / work.helping : in_entry;
    if (helps) work.helper = in_entry % work.helping;
    work.first_query = tile * kQueries;
    work.first_helper = (before_entry >> kHelperBits) + tile * work.helping;
    return false;
  });
  return work;  // no rows: there is nothing for this cluster
}

}  // namespace specthink::inline kernels
