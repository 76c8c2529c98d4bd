// How the product of a short prefill is cut up: everything once, no more blocks than run at a time.
#include "kernels/prefill/linear_plan.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace specthink {
namespace {

constexpr LinearBlocks kHopper{132, 66, 30};  // an H100

void check(std::int64_t weight_rows, std::int64_t k, bool gated, const LinearBlocks& blocks, WeightFormat format) {
  SCOPED_TRACE(std::to_string(weight_rows) + " x " + std::to_string(k) + (gated ? ", gated" : ""));
  const PrefillLinearPlan plan = plan_prefill_linear(weight_rows, k, gated, blocks, format);
  EXPECT_GE(plan.width, kLeastLinearWidth);
  EXPECT_LE(plan.width, kLargestLinearWidth);
  EXPECT_EQ(plan.width % kLinearWidthStep, 0);
  EXPECT_EQ(plan.width / 8 % plan.splits, 0);  // whole vectors for every block of a cluster
  EXPECT_GE(std::int64_t{plan.tiles} * plan.width, weight_rows);
  EXPECT_LT(std::int64_t{plan.tiles - 1} * plan.width, weight_rows);
  EXPECT_GE(plan.clusters, 1);
  EXPECT_LE(plan.clusters, plan.tiles);
  if (plan.splits > 1) {
    EXPECT_FALSE(gated);
    EXPECT_LE(plan.width, kLargestSplitWidth);
    EXPECT_EQ(plan.clusters, plan.tiles);
    EXPECT_GE((k + kLinearTileK - 1) / kLinearTileK, plan.splits);
  }
  EXPECT_LE(plan.clusters, plan.splits == 1   ? blocks.single
                           : plan.splits == 2 ? blocks.clusters_of_2
                                              : blocks.clusters_of_4);
}

TEST(prefill_linear_plan, covers_the_weights) {
  for (const std::int64_t rows : {8, 16, 72, 256, 2048, 2560, 3072, 4096, 5120, 6144, 10240, 14336, 25600, 51200}) {
    for (const std::int64_t k : {8, 64, 72, 200, 1024, 2048, 5120, 12800, 27648}) {
      for (const bool gated : {false, true}) {
        if (gated && rows % 16 != 0) continue;
        for (const WeightFormat format : {WeightFormat::elements, WeightFormat::float8}) {
          check(rows, k, gated, kHopper, format);
          check(rows, k, gated, {78, 39, 0}, format);
          check(rows, k, gated, {1, 0, 0}, format);
        }
      }
    }
  }
}

TEST(prefill_linear_plan, fills_the_gpu_with_the_shapes_of_models) {
  struct Shape {
    std::int64_t rows, k;
    bool gated;
  };
  const auto share_of_a_block = [](const Shape& shape) {  // over what it is when all SMs have the same
    const PrefillLinearPlan plan = plan_prefill_linear(shape.rows, shape.k, shape.gated, kHopper);
    const double rounds = (plan.tiles + plan.clusters - 1) / plan.clusters;
    return rounds * plan.width / plan.splits * kHopper.single / static_cast<double>(shape.rows);
  };
  // A rank of two: Qwen3-32B and Llama-3-8B, then Qwen3-1.7B.
  for (const Shape& shape : {Shape{5120, 5120, false}, Shape{5120, 4096, false}, Shape{25600, 5120, true},
                             Shape{5120, 12800, false}, Shape{14336, 4096, true}}) {
    EXPECT_LE(share_of_a_block(shape), 1.1) << shape.rows << " x " << shape.k;
  }
  for (const Shape& shape :
       {Shape{2048, 2048, false}, Shape{2048, 1024, false}, Shape{6144, 2048, true}, Shape{2048, 3072, false}}) {
    EXPECT_LE(share_of_a_block(shape), 1.6) << shape.rows << " x " << shape.k;
  }
}

/// Where x would be read too often, blocks share a tile's k.
TEST(prefill_linear_plan, splits_narrow_linears_and_leaves_wide_ones_whole) {
  EXPECT_GT(plan_prefill_linear(5120, 12800, false, kHopper).splits, 1);
  EXPECT_EQ(plan_prefill_linear(51200, 5120, false, kHopper).splits, 1);
}

}  // namespace
}  // namespace specthink
