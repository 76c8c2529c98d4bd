#include "specthink/replay/step_timeline.h"

#include <gtest/gtest.h>

#include <vector>

namespace specthink {
namespace {

KernelTimes kernel(const char* name, std::uint64_t started, std::uint64_t released, std::uint64_t ended) {
  return {.name = name, .started = started, .released = released, .ended = ended, .stages = {}};
}

// Nanoseconds on a clock that began long ago.
TEST(kernel_shares, are_means_by_name) {
  constexpr std::uint64_t kBegin = 1'700'000'000'000'000'000;
  const std::vector<KernelTimes> kernels = {
      kernel("qkv", kBegin, kBegin + 1000, kBegin + 5000),
      kernel("attention", kBegin + 2000, kBegin + 6000, kBegin + 9000),
      kernel("qkv", kBegin + 10000, kBegin + 10500, kBegin + 12500),  // started 1 us late
      kernel("attention", kBegin + 11500, kBegin + 12500, kBegin + 13500),
  };
  const std::vector<KernelShare> shares = kernel_shares(kernels);
  ASSERT_EQ(shares.size(), 2u);
  EXPECT_EQ(shares[0].name, "qkv");
  EXPECT_EQ(shares[0].count, 2);
  EXPECT_DOUBLE_EQ(shares[0].ran, 3);
  EXPECT_DOUBLE_EQ(shares[0].ahead, -1);
  EXPECT_DOUBLE_EQ(shares[0].waited, 1.5);
  EXPECT_EQ(shares[1].name, "attention");
  EXPECT_DOUBLE_EQ(shares[1].ran, 2);
  EXPECT_DOUBLE_EQ(shares[1].ahead, 2);
  EXPECT_DOUBLE_EQ(shares[1].waited, 0.5);
}

TEST(kernel_shares, of_nothing_are_none) { EXPECT_TRUE(kernel_shares({}).empty()); }

}  // namespace
}  // namespace specthink
