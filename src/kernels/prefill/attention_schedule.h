// How the work of a prefill's attention is distributed to the blocks of a GPU: pure arithmetic.
//
// The query heads of a KV head are packed into tiles of kPrefillTile queries: query i of a KV head is head i % group of
// row i / group. A step is a tile of queries against a tile of keys. All steps, in the order of their tiles of queries
// (those of KV head 0, then of 1, ...) and keys, are cut into stretches, one a block: where that is not much uneven,
// all tiles of queries alike, so that blocks go over the same keys at the same time and read them from the L2 cache
// together; otherwise stretches of equal cost. A tile of queries whose steps fall into several blocks is merged from
// their parts.
#pragma once

#include <cstdint>

#include "specthink/base/host_device.h"

namespace specthink::inline kernels {

constexpr int kPrefillTile = 128;       ///< queries, and keys, of a step
constexpr int kMaxPrefillBlocks = 160;  ///< more than Hopper GPUs have SMs

/// Floats of a tile's result over part of its keys: outputs before they are divided by their sum,
/// [kPrefillTile, head_dim]; then maximum and sum of each query.
constexpr int attention_part_floats(int head_dim) { return kPrefillTile * head_dim + 2 * kPrefillTile; }

/// Bytes of the results that up to `blocks` blocks leave to be merged: two each, of the first and the last tile of
/// queries that a block works on.
constexpr std::int64_t attention_workspace_bytes(int blocks, int head_dim) {
  return std::int64_t{2} * blocks * attention_part_floats(head_dim) * static_cast<std::int64_t>(sizeof(float));
}

struct AttentionRows {
  int rows = 0;  ///< the last ones of `length` positions; each sees itself and what came before it
  int length = 0;
  int heads = 0;  ///< a multiple of kv_heads
  int kv_heads = 0;
};

/// The tiles of queries and what they see.
struct QueryTiles {
  int group;    ///< query heads of a KV head
  int queries;  ///< of a KV head
  int tiles;    ///< of a KV head
  int kv_heads;
  int cached;  ///< keys that every row sees, but for its own

  SPECTHINK_HOST_DEVICE explicit QueryTiles(const AttentionRows& p)
      : group(p.heads / p.kv_heads),
        queries(p.rows * group),
        tiles((queries + kPrefillTile - 1) / kPrefillTile),
        kv_heads(p.kv_heads),
        cached(p.length - p.rows) {}

  SPECTHINK_HOST_DEVICE int all_tiles() const { return tiles * kv_heads; }

  /// Tiles of keys that some row of a tile sees; `tile` counts over all KV heads.
  SPECTHINK_HOST_DEVICE int key_tiles(int tile) const {
    const int end = (tile % tiles + 1) * kPrefillTile;
    const int last_row = ((end < queries ? end : queries) - 1) / group;
    return (cached + last_row) / kPrefillTile + 1;
  }

  /// Row of queries and output, [rows · heads, head_dim].
  SPECTHINK_HOST_DEVICE long long head_of(int kv_head, int query) const {
    return static_cast<long long>(query / group) * (group * kv_heads) + kv_head * group + query % group;
  }
};

struct StepPosition {
  int query_tile;
  int key_tile;
};

/// Block i goes from begin[i] to begin[i + 1].
struct PrefillSchedule {
  int blocks;
  StepPosition begin[kMaxPrefillBlocks + 1];
};

/// A tile of queries whose keys went to blocks first, ..., first + count - 1.
struct SplitTile {
  int query_tile;
  int first;
  int count;
};

struct SplitTiles {
  int count;
  SplitTile tiles[kMaxPrefillBlocks];
};

/// What a block does at a stretch: some or all keys of one tile of queries.
struct Segment {
  int kv_head;
  int first_query;
  int first_key_tile;
  int key_tiles;
  bool whole;  ///< all keys of the tile
  int part;    ///< where the result belongs if not
};

/// A block has at most two tiles of queries that it shares with others, the first and the last that it works on.
SPECTHINK_HOST_DEVICE inline int part_of(int block, bool first_tile_of_block) {
  return 2 * block + (first_tile_of_block ? 0 : 1);
}
SPECTHINK_HOST_DEVICE inline int part_of(const PrefillSchedule& schedule, int block, int query_tile) {
  return part_of(block, schedule.begin[block].query_tile == query_tile);
}

/// A block's segments, one after the other.
class Segments {
 public:
  SPECTHINK_HOST_DEVICE Segments(const QueryTiles& tiles, const PrefillSchedule& schedule, int block)
      : tiles_(tiles), block_(block), at_(schedule.begin[block]), end_(schedule.begin[block + 1]) {}

  SPECTHINK_HOST_DEVICE bool next(Segment& segment) {
    const bool same_tile = at_.query_tile == end_.query_tile;
    if (at_.query_tile > end_.query_tile || (same_tile && at_.key_tile == end_.key_tile)) return false;
    const int all = tiles_.key_tiles(at_.query_tile);
    segment.kv_head = at_.query_tile / tiles_.tiles;
    segment.first_query = at_.query_tile % tiles_.tiles * kPrefillTile;
    segment.first_key_tile = at_.key_tile;
    segment.key_tiles = (same_tile ? end_.key_tile : all) - at_.key_tile;
    segment.whole = segment.key_tiles == all;
    segment.part = part_of(block_, first_);
    at_ = {at_.query_tile + 1, 0};
    first_ = false;
    return true;
  }

 private:
  const QueryTiles& tiles_;
  int block_;
  StepPosition at_;
  StepPosition end_;
  bool first_ = true;
};

/// Deals the steps out to at most `most_blocks` blocks (1 to kMaxPrefillBlocks).
void distribute(const AttentionRows& rows, int most_blocks, PrefillSchedule& schedule, SplitTiles& splits);

}  // namespace specthink::inline kernels
