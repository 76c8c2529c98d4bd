#include <gtest/gtest.h>

#include "kernels/measure/read_bandwidth_device.h"
#include "ranks.h"
#include "specthink/comm/device.h"
#include "specthink/kernels/read_bandwidth.h"

namespace specthink {
namespace {

// Between a slow disk and ten times the fastest memory there is: a wrong unit or a pass that reads nothing is found.
TEST(read_bandwidth, is_that_of_a_memory) {
  const c10::Device device = testing_support::device();
#ifdef SPECTHINK_WITH_CUDA
  if (testing_support::sanitized() && device.is_cuda()) {  // the same kernel, in less than minutes
    EXPECT_EQ(time_read_passes(device.index(), {std::size_t{64} << 20, 0, 1}).size(), 1u);
    return;
  }
#endif
  const double rate = measure_read_bandwidth(device);
  EXPECT_GT(rate, 1e8);
  EXPECT_LT(rate, 1e14);
}

TEST(read_bandwidth, gives_its_memory_back) {
  const c10::Device device = testing_support::device();
  if (device.is_cpu()) GTEST_SKIP() << "no GPU";
  if (testing_support::sanitized()) GTEST_SKIP() << "a minute a measurement; the other test has run the kernel";
  measure_read_bandwidth(device);
  const std::int64_t before = free_memory(device);
  measure_read_bandwidth(device);
  constexpr std::int64_t kSlack = std::int64_t{64} << 20;  // the buffer has hundreds of MiB at least
  EXPECT_GT(free_memory(device), before - kSlack);
}

}  // namespace
}  // namespace specthink
