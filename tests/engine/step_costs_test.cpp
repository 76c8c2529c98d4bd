#include "specthink/engine/step_costs.h"

#include <gtest/gtest.h>

namespace specthink {
namespace {

struct Measured {
  const char* what;
  StepFacts facts;
  RowCosts milliseconds;  // of 1, 2, 4, 8, 16 rows
};

// docs/performance.md: Qwen3-32B and 1.7B on one and two H200; on two 8 and 16 rows before those of one sequence were
// computed like those of several.
constexpr StepKernels kHopper = StepKernels::hopper;
constexpr StepKernels kPortable = StepKernels::portable;

const Measured kMeasured[] = {
    {"32B on one", {63'970'000'000, 64, true, kHopper, "NVIDIA H200"}, {14.54, 14.99, 15.23, 15.57, 16.81}},
    {"32B on two", {31'980'000'000, 64, true, kHopper, "NVIDIA H200"}, {8.00, 8.33, 8.24, 8.52, 9.87}},
    {"1.7B on one", {3'440'000'000, 28, true, kHopper, "NVIDIA H200"}, {1.151, 1.272, 1.322, 1.427, 1.822}},
    {"32B of 8 bits on one",
     {32'770'000'000, 64, true, kHopper, "NVIDIA H200", 29'650'000'000},
     {8.45, 9.44, 9.64, 9.87, 12.20}},
    {"1.7B portable", {3'440'000'000, 28, true, kPortable, "NVIDIA H200"}, {1.362, 2.029, 2.258, 2.499, 2.952}},
    {"8B portable", {15'140'000'000, 36, true, kPortable, "NVIDIA H200"}, {4.172, 5.234, 5.540, 5.990, 6.401}},
    {"1.7B on two", {1'720'000'000, 28, true, kHopper, "NVIDIA H200"}, {0.796, 0.913, 0.924, 1.118, 1.476}}};

TEST(estimate_row_costs, is_near_what_was_measured) {
  for (const Measured& measured : kMeasured) {
    const RowCosts costs = estimate_row_costs(measured.facts);
    for (std::size_t i = 0; i < costs.size(); ++i) {
      EXPECT_NEAR(costs[i] / measured.milliseconds[i], 1, 0.08)
          << measured.what << ", " << kStepRowCounts[i] << " rows";
    }
  }
}

/// Eight and sixteen rows have not been measured there since they became faster.
TEST(estimate_row_costs, of_8_bit_weights_on_two_is_near_what_was_measured) {
  const StepFacts facts{16'390'000'000, 64, true, kHopper, "NVIDIA H200", 14'830'000'000};  // Qwen3-32B
  const RowCosts costs = estimate_row_costs(facts);
  std::size_t i = 0;
  for (const double milliseconds : {4.88, 5.71, 5.82}) EXPECT_NEAR(costs[i++] / milliseconds, 1, 0.08);
}

TEST(estimate_row_costs, more_rows_and_slower_memory_cost_more) {
  for (const bool on_gpu : {false, true}) {
    for (const std::optional<StepKernels> kernels : {std::optional<StepKernels>(), {kPortable}, {kHopper}}) {
      const RowCosts costs = estimate_row_costs({2'000'000'000, 24, on_gpu, kernels, "NVIDIA A100-SXM4-80GB"});
      for (std::size_t i = 1; i < costs.size(); ++i) EXPECT_GT(costs[i], costs[i - 1]);
      EXPECT_GT(costs[0], 0);
    }
  }
  const auto first = [](const char* name) {
    return estimate_row_costs({10'000'000'000, 24, true, kHopper, name}).front();
  };
  EXPECT_LT(first("NVIDIA H200"), first("NVIDIA H100 80GB HBM3"));
  EXPECT_LT(first("NVIDIA H100 80GB HBM3"), first("some other GPU"));
}

}  // namespace
}  // namespace specthink
