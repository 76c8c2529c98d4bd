// All-reduce over mapped memory against a serial sum.
#include "specthink/kernels/peer_all_reduce.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ranks.h"

namespace specthink {
namespace {

using testing_support::device;
using testing_support::world;

/// Whole numbers whose sums every 16-bit type holds exactly.
at::Tensor values_of(int rank, std::int64_t count, int round, at::ScalarType type) {
  return ((at::arange(count, at::kLong) * (rank + 2) + round) % 31 - 15).to(type);
}

TEST(peer_all_reduce, equals_the_serial_sum_call_after_call) {
  if (!device().is_cuda()) GTEST_SKIP() << "needs GPUs (SPECTHINK_TEST_DEVICE=cuda)";
  const auto collectives = with_peer_all_reduce(Collectives::create(world(), device()), world(), device(), 20);
  for (const at::ScalarType type : {at::kBFloat16, at::kHalf, at::kFloat}) {
    // 2'500'000 elements are more than a buffer holds, 7 no whole word, both left to NCCL.
    for (const std::int64_t count : {8, 7, 5120, 120 * 5120, 2'097'152, 2'500'000}) {
      for (int round = 0; round < 5; ++round) {
        at::Tensor tensor = values_of(world().rank(), count, round, type).to(device());
        collectives->all_reduce(tensor);
        at::Tensor expected = at::zeros({count}, at::kFloat);
        for (int rank = 0; rank < world().size(); ++rank) expected += values_of(rank, count, round, at::kFloat);
        EXPECT_TRUE(at::equal(tensor.cpu().to(at::kFloat), expected)) << count << " elements, round " << round;
      }
    }
  }
}

}  // namespace
}  // namespace specthink
