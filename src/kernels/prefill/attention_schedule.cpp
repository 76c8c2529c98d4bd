#include "kernels/prefill/attention_schedule.h"

#include <algorithm>
#include <cstdint>

#include "specthink/kernels/prefill_attention.h"

namespace specthink::inline kernels {
namespace {

constexpr int kMinSteps = 2;    // of a block: fewer are not worth a merge
constexpr int kBeginSteps = 2;  // what the beginning of a tile of queries costs, in steps
/// How many more steps the busiest block may have for all blocks to go over the same keys at the same time. Measured on
/// H100 and H200 for 20 to 264 rows on 1K to 16K positions: at 1.2 times the steps both take as long.
constexpr double kWorthOfAlignment = 1.25;

/// Each tile of queries to as many blocks, which have as many of its keys each.
void distribute_aligned(const QueryTiles& tiles, int of_tile, PrefillSchedule& schedule, SplitTiles& splits) {
  schedule.blocks = of_tile * tiles.all_tiles();
  for (int tile = 0; tile < tiles.all_tiles(); ++tile) {
    const int first = tile * of_tile;
    for (int i = 0; i < of_tile; ++i) {  // the last keys, which not all queries see, take longest: the fewest
      schedule.begin[first + i] = {tile, (tiles.key_tiles(tile) * i + of_tile - 1) / of_tile};
    }
    splits.tiles[splits.count++] = {tile, first, of_tile};
  }
}

/// All steps in stretches of equal cost.
void distribute_evenly(const QueryTiles& tiles, std::int64_t cost, PrefillSchedule& schedule, SplitTiles& splits) {
  const auto begin_of = [&](int block) { return cost * block / schedule.blocks; };
  int block = 0;  // the first that has not begun
  std::int64_t tile_begin = 0;
  for (int tile = 0; tile < tiles.all_tiles(); ++tile) {
    const std::int64_t first_step = tile_begin + kBeginSteps;
    const std::int64_t tile_end = first_step + tiles.key_tiles(tile);
    int first = block - 1;  // the block that begins the tile
    for (; block < schedule.blocks && begin_of(block) < tile_end; ++block) {
      const auto step = static_cast<int>(std::max<std::int64_t>(begin_of(block) - first_step, 0));
      if (step == 0) first = block;
      schedule.begin[block] = {tile, step};
    }
    if (block - first > 1) splits.tiles[splits.count++] = {tile, first, block - first};
    tile_begin = tile_end;
  }
}

}  // namespace

std::int64_t PrefillAttention::most_workspace_bytes(std::int64_t head_dim) {
  return attention_workspace_bytes(kMaxPrefillBlocks, static_cast<int>(head_dim));
}

void distribute(const AttentionRows& rows, int most_blocks, PrefillSchedule& schedule, SplitTiles& splits) {
  const QueryTiles tiles(rows);
  std::int64_t steps = 0;
  for (int tile = 0; tile < tiles.all_tiles(); ++tile) steps += tiles.key_tiles(tile);
  const std::int64_t cost = steps + std::int64_t{kBeginSteps} * tiles.all_tiles();
  splits.count = 0;

  const int of_tile = most_blocks / tiles.all_tiles();
  const bool can_align = of_tile >= 2 && tiles.key_tiles(0) >= kMinSteps * of_tile;
  const int most_steps = can_align ? (tiles.key_tiles(tiles.tiles - 1) + of_tile - 1) / of_tile : 0;
  if (can_align && most_steps * most_blocks <= kWorthOfAlignment * static_cast<double>(cost)) {
    distribute_aligned(tiles, of_tile, schedule, splits);
  } else {
    schedule.blocks = static_cast<int>(std::clamp<std::int64_t>(steps / kMinSteps, 1, most_blocks));
    distribute_evenly(tiles, cost, schedule, splits);
  }
  schedule.begin[schedule.blocks] = {tiles.all_tiles(), 0};
}

}  // namespace specthink::inline kernels
