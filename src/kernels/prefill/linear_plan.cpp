#include "kernels/prefill/linear_plan.h"

#include <algorithm>
#include <initializer_list>
#include <limits>

namespace specthink::inline kernels {
namespace {

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// What a column of x costs beside one of a weight row, which comes from memory and not from the L2 cache.
constexpr double kCostOfX = 0.4;
/// Cost of the exchange between the blocks of a cluster, in elements of the weights that a block reads meanwhile: its
/// latency, and what each weight row whose sums go to another block adds.
constexpr double kCostOfSplit = 17000;
constexpr double kCostOfSentRow = 150;
/// Of a weight of 8 bits, which also has to be converted, in weights of 16. Not fitted; of the 32B's matrices on two H200
/// no other width or split that was tried was faster.
constexpr double kCostOfFloat8 = 0.6;

}  // namespace

PrefillLinearPlan plan_prefill_linear(std::int64_t weight_rows, std::int64_t k, bool gated, const LinearBlocks& blocks,
                                      WeightFormat format) {
  const double cost_of_weight = format == WeightFormat::float8 ? kCostOfFloat8 : 1;
  PrefillLinearPlan best;
  double least = std::numeric_limits<double>::infinity();
  for (const int splits : {1, 2, 4}) {
    const int clusters = splits == 1 ? blocks.single : splits == 2 ? blocks.clusters_of_2 : blocks.clusters_of_4;
    if (clusters == 0 || (gated && splits > 1) || divide_up(k, kLinearTileK) < splits) continue;
    // A block adds up whole groups of eight columns.
    const int step = std::max(kLinearWidthStep, 8 * splits);
    const int largest = splits == 1 ? kLargestLinearWidth : kLargestSplitWidth;
    for (int width = kLeastLinearWidth; width <= largest; width += step) {
      const std::int64_t tiles = divide_up(weight_rows, width);
      const std::int64_t rounds = divide_up(tiles, clusters);
      if (splits > 1 && rounds > 1) continue;  // one exchange a block
      const double cost = static_cast<double>(rounds) * (cost_of_weight * width + kCostOfX * kLinearTileRows) *
                              static_cast<double>(k) / splits +
                          (splits > 1 ? kCostOfSplit + kCostOfSentRow * width * (splits - 1) / splits : 0);
      if (cost >= least) continue;
      least = cost;
      best = {.width = width,
              .splits = splits,
              .tiles = static_cast<int>(tiles),
              .clusters = static_cast<int>(std::min<std::int64_t>(tiles, clusters))};
    }
  }
  return best;
}

}  // namespace specthink::inline kernels
