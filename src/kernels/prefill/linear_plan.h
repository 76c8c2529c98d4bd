// How the product of a short prefill is cut up: pure arithmetic.
//
// y [rows, outputs] = x [rows, k] · Wᵀ for up to kLinearTileRows rows. A tile is `width` rows of the weights against
// all rows of x. The blocks of a cluster share a tile's k, and each adds up a part of the tile from what the others
// send. Many tiles are better left whole: every block reads x for itself.
#pragma once

#include <cstdint>

#include "kernels/device/weight_format.h"

namespace specthink::inline kernels {

constexpr int kLinearTileRows = 128;  ///< rows of x
constexpr int kLinearTileK = 64;      ///< columns of x and the weights in one stage
constexpr int kLinearWidthStep = 16;  ///< widths are multiples
constexpr int kLeastLinearWidth = 32;
constexpr int kLargestLinearWidth = 208;
constexpr int kLargestSplitWidth = 160;  ///< of a tile that the blocks of a cluster share

/// Blocks that a GPU runs at once when they come in clusters: one a SM, less what does not fill a cluster.
struct LinearBlocks {
  int single = 0;  ///< SMs
  int clusters_of_2 = 0;
  int clusters_of_4 = 0;
};

struct PrefillLinearPlan {
  int width = 0;   ///< of a tile: weight rows; of a gated linear layer half of them gate and half of them up rows
  int splits = 1;  ///< blocks of a cluster: 1, 2 or 4
  int tiles = 0;
  int clusters = 0;  ///< that are launched; with one block each, they take several tiles in turn
};

/// `weight_rows`: rows of W; a gated linear layer has gate rows, then up rows, and is never split.
PrefillLinearPlan plan_prefill_linear(std::int64_t weight_rows, std::int64_t k, bool gated, const LinearBlocks& blocks,
                                      WeightFormat format = WeightFormat::elements);

}  // namespace specthink::inline kernels
