// How a prefill's attention is distributed to blocks: every step once, evenly, and every part of a split tile is
// merged.
#include "kernels/prefill/attention_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace specthink {
namespace {

struct Distribution {
  std::vector<std::vector<Segment>> blocks;
  SplitTiles splits;
  PrefillSchedule schedule;
};

Distribution distribution_of(const AttentionRows& rows, int most_blocks) {
  Distribution distribution;
  distribute(rows, most_blocks, distribution.schedule, distribution.splits);
  const QueryTiles tiles(rows);
  for (int block = 0; block < distribution.schedule.blocks; ++block) {
    Segments segments(tiles, distribution.schedule, block);
    std::vector<Segment>& list = distribution.blocks.emplace_back();
    for (Segment segment; segments.next(segment);) list.push_back(segment);
  }
  return distribution;
}

/// Keys that some query of the tile sees, by the definition.
int keys_seen(const AttentionRows& rows, int first_query) {
  const int group = rows.heads / rows.kv_heads;
  int seen = 0;
  for (int query = first_query; query < std::min(first_query + kPrefillTile, rows.rows * group); ++query) {
    seen = std::max(seen, rows.length - rows.rows + query / group + 1);
  }
  return seen;
}

void check(const AttentionRows& rows, int most_blocks) {
  SCOPED_TRACE(std::to_string(rows.rows) + " rows of " + std::to_string(rows.length) + ", " +
               std::to_string(rows.heads) + "/" + std::to_string(rows.kv_heads) + " heads, " +
               std::to_string(most_blocks) + " blocks");
  const Distribution distribution = distribution_of(rows, most_blocks);
  ASSERT_GE(distribution.schedule.blocks, 1);
  ASSERT_LE(distribution.schedule.blocks, most_blocks);

  const int queries = rows.rows * rows.heads / rows.kv_heads;
  const int tiles = (queries + kPrefillTile - 1) / kPrefillTile;
  std::map<int, int> covered;             // tile of queries -> tiles of keys, which must come in order
  std::map<int, std::vector<int>> parts;  // tile of queries -> parts of its result, in the order of the keys
  std::set<int> used;
  for (std::size_t block = 0; block < distribution.blocks.size(); ++block) {
    for (const Segment& segment : distribution.blocks[block]) {
      const int tile = segment.kv_head * tiles + segment.first_query / kPrefillTile;
      ASSERT_GT(segment.key_tiles, 0);
      EXPECT_EQ(segment.first_key_tile, covered[tile]) << "tile " << tile;
      covered[tile] += segment.key_tiles;
      const int all = (keys_seen(rows, segment.first_query) + kPrefillTile - 1) / kPrefillTile;
      EXPECT_EQ(segment.whole, segment.key_tiles == all);
      if (segment.whole) continue;
      parts[tile].push_back(segment.part);
      EXPECT_TRUE(used.insert(segment.part).second) << "part " << segment.part << " is written twice";
      EXPECT_EQ(segment.part / 2, static_cast<int>(block));
      EXPECT_LE((segment.part + 1) * sizeof(float) * attention_part_floats(128),
                static_cast<std::size_t>(attention_workspace_bytes(most_blocks, 128)));
    }
  }
  ASSERT_EQ(covered.size(), static_cast<std::size_t>(tiles * rows.kv_heads));
  for (const auto& [tile, key_tiles] : covered) {
    const int all = (keys_seen(rows, tile % tiles * kPrefillTile) + kPrefillTile - 1) / kPrefillTile;
    EXPECT_EQ(key_tiles, all) << "tile " << tile;
  }
  ASSERT_EQ(distribution.splits.count, static_cast<int>(parts.size()));
  for (int i = 0; i < distribution.splits.count; ++i) {
    const SplitTile& split = distribution.splits.tiles[i];
    std::vector<int> merged;
    for (int k = 0; k < split.count; ++k) {
      merged.push_back(part_of(distribution.schedule, split.first + k, split.query_tile));
    }
    EXPECT_EQ(merged, parts[split.query_tile]) << "tile " << split.query_tile;
  }
}

TEST(prefill_schedule, every_step_is_done_once_and_every_part_merged) {
  for (const auto& [heads, kv_heads] : {std::pair{32, 4}, {8, 4}, {7, 1}, {3, 3}, {20, 2}}) {
    for (const auto& [rows, length] : {std::pair{1, 1},
                                       {1, 127},
                                       {1, 32768},
                                       {17, 17},
                                       {20, 500},
                                       {20, 8212},
                                       {120, 8312},
                                       {127, 129},
                                       {300, 301},
                                       {1000, 3000},
                                       {1024, 1024},
                                       {1024, 16384},
                                       {8192, 8192},
                                       {8192, 32768}}) {
      for (const int blocks : {1, 2, 7, 114, 132, kMaxPrefillBlocks}) check({rows, length, heads, kv_heads}, blocks);
    }
  }
}

// What makes the kernel fast: no block has much more to do than another.
TEST(prefill_schedule, blocks_have_equal_work) {
  for (const auto& [rows, length] : {std::pair{120, 8312}, {1024, 1024}, {1024, 16384}, {8192, 16384}}) {
    const Distribution distribution = distribution_of({rows, length, 32, 4}, 132);
    int most = 0;
    int all = 0;
    for (const auto& block : distribution.blocks) {
      int steps = 0;
      for (const Segment& segment : block) steps += segment.key_tiles + 2;  // a tile's beginning costs two more
      most = std::max(most, steps);
      all += steps;
    }
    EXPECT_LE(most, all / static_cast<double>(distribution.blocks.size()) + 3) << rows << " rows of " << length;
  }
}

TEST(prefill_schedule, little_work_goes_to_few_blocks) {
  EXPECT_EQ(distribution_of({1, 1, 8, 4}, 132).schedule.blocks, 2);
  EXPECT_EQ(distribution_of({1, 1, 8, 1}, 132).schedule.blocks, 1);
  EXPECT_EQ(distribution_of({20, 4116, 32, 4}, 132).schedule.blocks, 132);
}

/// True when the stretches of every tile of queries begin at the same keys.
bool aligned(const Distribution& distribution) {
  const int of_tile = distribution.splits.count > 0 ? distribution.splits.tiles[0].count : 0;
  for (const auto& segments : distribution.blocks) {
    if (segments.size() != 1) return false;
  }
  for (int i = 0; i < distribution.splits.count; ++i) {
    const SplitTile& split = distribution.splits.tiles[i];
    if (split.count != of_tile) return false;
    for (int k = 0; k < of_tile; ++k) {
      if (distribution.blocks[static_cast<std::size_t>(split.first + k)][0].first_key_tile !=
          distribution.blocks[static_cast<std::size_t>(k)][0].first_key_tile) {
        return false;
      }
    }
  }
  return of_tile > 1;
}

// Steps that all blocks do at the same keys, unless that leaves one with many more than its share.
TEST(prefill_schedule, blocks_share_keys_where_that_is_not_much_uneven) {
  EXPECT_TRUE(aligned(distribution_of({120, 8312, 32, 4}, 132)));
  EXPECT_TRUE(aligned(distribution_of({20, 8212, 32, 4}, 132)));
  EXPECT_FALSE(aligned(distribution_of({20, 4116, 32, 4}, 132)));     // 3 steps instead of 2.1
  EXPECT_FALSE(aligned(distribution_of({300, 8492, 32, 4}, 132)));    // more tiles of queries than half the blocks
  EXPECT_FALSE(aligned(distribution_of({1024, 16384, 32, 4}, 132)));  // more than blocks
  EXPECT_FALSE(aligned(distribution_of({120, 248, 32, 4}, 132)));     // two tiles of keys
}

// What not all queries of a tile see takes longer than the rest.
TEST(prefill_schedule, the_last_keys_of_a_tile_are_the_fewest) {
  const Distribution distribution = distribution_of({120, 8312, 32, 4}, 132);  // 65 tiles of keys
  std::vector<int> steps;
  for (std::size_t block = 0; block < 4; ++block) steps.push_back(distribution.blocks[block][0].key_tiles);
  EXPECT_EQ(steps, (std::vector{17, 16, 16, 16}));
}

}  // namespace
}  // namespace specthink
