#include "kernels/prefill_schedule.h"

#include <algorithm>
#include <cstdint>

namespace specthink {
namespace {

constexpr int kMinSteps = 2;    // of a block: fewer are not worth a merge
constexpr int kBeginSteps = 2;  // what the beginning of a tile of queries costs, in steps

}  // namespace

void deal_out(const AttentionRows& rows, int most_blocks, PrefillSchedule& schedule, SplitTiles& splits) {
  const QueryTiles tiles(rows);
  std::int64_t steps = 0;
  for (int tile = 0; tile < tiles.all_tiles(); ++tile) steps += tiles.key_tiles(tile);
  const std::int64_t cost = steps + std::int64_t{kBeginSteps} * tiles.all_tiles();
  schedule.blocks = static_cast<int>(std::clamp<std::int64_t>(steps / kMinSteps, 1, most_blocks));
  const auto begin_of = [&](int block) { return cost * block / schedule.blocks; };

  splits.count = 0;
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
  schedule.begin[schedule.blocks] = {tiles.all_tiles(), 0};
}

}  // namespace specthink
