// Sums over the ranks by peer memory against an all-reduce and the fused kernel for residual and norm.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ranks.h"
#include "specthink/base/error.h"
#include "specthink/comm/collectives.h"
#include "specthink/comm/device.h"
#include "specthink/kernels/peer_sum.h"
#include "specthink/kernels/prefill_ops.h"

namespace specthink {
namespace {

using namespace testing_support;

constexpr std::int64_t kBytes = 1024 * 5120 * 2;

class peer_sum : public testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override {
    sum_ = PeerSum::create(world(), device(), {.all_reduce = AllReduce::automatic, .bytes = kBytes});
    if (!sum_) GTEST_SKIP() << "needs two to four ranks on GPUs that map each other's memory";
    collectives_ = Collectives::create(world(), device());
  }

  /// Each rank has random numbers of its own in the partial sums, and the same ones elsewhere.
  void compare(std::int64_t rows, std::int64_t hidden, bool with_bias) {
    SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(hidden) + (with_bias ? " with bias" : ""));
    const auto options = at::TensorOptions(device()).dtype(GetParam());
    at::manual_seed(7 + rows);
    at::Tensor residual = at::randn({rows, hidden}, options);
    const at::Tensor bias = with_bias ? at::randn({hidden}, options) : at::Tensor();
    const at::Tensor weight = at::randn({hidden}, options);
    at::manual_seed(100 + world().rank());
    const at::Tensor own = at::randn({rows, hidden}, options);

    at::Tensor expected_residual = residual.clone();
    at::Tensor delta = own.clone();
    collectives_->all_reduce(delta);
    at::Tensor expected = at::empty_like(residual);
    prefill_ops::add_rms_norm(expected_residual, delta, bias, weight, 1e-6, expected);

    ASSERT_TRUE(sum_->takes(rows, hidden, GetParam()));
    at::Tensor partial = sum_->partial(rows, hidden, GetParam());
    partial.copy_(own);
    at::Tensor output = at::empty_like(residual);
    sum_->add_rms_norm(residual, bias, weight, 1e-6, output);
    synchronize(device());
    sum_->check_arrived();
    // Two ranks: NCCL adds the same two numbers. More: it may add in another order.
    const double precision = GetParam() == at::kBFloat16 ? 1.0 / 128 : 1.0 / 1024;
    const double allowed = world().size() == 2 ? 0 : 4 * precision;
    EXPECT_LE((residual - expected_residual).abs().max().item<double>(), allowed);
    EXPECT_LE(((output - expected).norm() / expected.norm()).item<double>(), precision);

    // Every rank has the same bits.
    const at::Tensor all = collectives_->all_gather(at::cat({residual, output}));
    for (int rank = 0; rank < world().size(); ++rank) EXPECT_TRUE(at::equal(all[rank], all[0]));
  }

  std::unique_ptr<PeerSum> sum_;
  std::unique_ptr<Collectives> collectives_;
};

TEST_P(peer_sum, equals_an_all_reduce) {
  for (const std::int64_t rows : {1, 17, 120, 1024}) {
    for (const std::int64_t hidden : {8, 320, 2048, 5120}) {
      compare(rows, hidden, rows % 2 == 0);
    }
  }
  compare(3, 16384, true);  // several vectors a thread
  compare(2, 32768, false);
}

TEST_P(peer_sum, without_a_residual_is_that_of_zeros) {
  const auto options = at::TensorOptions(device()).dtype(GetParam());
  for (const std::int64_t rows : {1, 120}) {
    const std::int64_t hidden = 5120;
    at::manual_seed(100 + world().rank());
    const at::Tensor own = at::randn({rows, hidden}, options);
    const at::Tensor weight = at::full({hidden}, 0.5, options);
    at::Tensor expected_residual = at::zeros({rows, hidden}, options);
    at::Tensor expected = at::empty_like(own);
    sum_->partial(rows, hidden, GetParam()).copy_(own);
    sum_->add_rms_norm(expected_residual, {}, weight, 1e-6, expected);

    at::Tensor sum = at::full({rows, hidden}, NAN, options);  // what was there does not count
    at::Tensor output = at::empty_like(own);
    sum_->partial(rows, hidden, GetParam()).copy_(own);
    sum_->sum_rms_norm(sum, weight, 1e-6, output);
    synchronize(device());
    sum_->check_arrived();
    EXPECT_TRUE(at::equal(sum, expected_residual)) << rows;
    EXPECT_TRUE(at::equal(output, expected)) << rows;
  }
}

TEST_P(peer_sum, many_in_a_row) {
  const auto options = at::TensorOptions(device()).dtype(GetParam());
  const std::int64_t rows = 64;
  const std::int64_t hidden = 1024;
  at::Tensor residual = at::zeros({rows, hidden}, options);
  at::Tensor output = at::empty_like(residual);
  const at::Tensor weight = at::ones({hidden}, options);
  const int rounds = 200;
  for (int round = 0; round < rounds; ++round) {
    sum_->partial(rows, hidden, GetParam()).fill_((world().rank() + 1) * (round % 2 == 0 ? 1 : -1));
    sum_->add_rms_norm(residual, {}, weight, 1e-6, output);
  }
  sum_->partial(rows, hidden, GetParam()).fill_(world().rank() + 1);
  sum_->add_rms_norm(residual, {}, weight, 1e-6, output);
  synchronize(device());
  sum_->check_arrived();
  const double expected = world().size() * (world().size() + 1) / 2.0;
  EXPECT_TRUE((residual == expected).all().item<bool>());
}

TEST_P(peer_sum, takes_what_fits) {
  EXPECT_TRUE(sum_->takes(1024, 5120, GetParam()));
  EXPECT_FALSE(sum_->takes(1025, 5120, GetParam()));
  EXPECT_FALSE(sum_->takes(16, 5121, GetParam()));
  EXPECT_FALSE(sum_->takes(1, 65536, GetParam()));
  EXPECT_FALSE(sum_->takes(16, 512, at::kFloat));
}

INSTANTIATE_TEST_SUITE_P(types, peer_sum, testing::Values(at::kBFloat16, at::kHalf));

TEST(peer_sum_choice, one_rank_cpus_and_nccl_have_none) {
  EXPECT_EQ(PeerSum::create(world(), device(), {.all_reduce = AllReduce::nccl, .bytes = kBytes}), nullptr);
  EXPECT_EQ(PeerSum::create(world(), c10::Device(c10::kCPU), {.all_reduce = AllReduce::automatic, .bytes = kBytes}),
            nullptr);
  if (world().size() == 1) {
    EXPECT_EQ(PeerSum::create(world(), device(), {.all_reduce = AllReduce::automatic, .bytes = kBytes}), nullptr);
  }
}

// A rank that does not come: the others' kernels end, and say so.
TEST(peer_sum_failure, a_missing_rank_ends_the_wait) {
  const auto sum = PeerSum::create(world(), device(),
                                   {.all_reduce = AllReduce::automatic, .bytes = 1 << 16, .wait_limit_seconds = 0.2});
  if (!sum) GTEST_SKIP() << "needs two to four ranks on GPUs that map each other's memory";
  const auto options = at::TensorOptions(device()).dtype(at::kHalf);
  at::Tensor residual = at::zeros({4, 64}, options);
  at::Tensor output = at::empty_like(residual);
  const at::Tensor weight = at::ones({64}, options);
  if (world().rank() == 0) {
    sum->partial(4, 64, at::kHalf).fill_(1);
    sum->add_rms_norm(residual, {}, weight, 1e-6, output);
    synchronize(device());
    EXPECT_THROW(sum->check_arrived(), EnvironmentError);
  } else {
    EXPECT_NO_THROW(sum->check_arrived());
  }
  world().barrier();
}

}  // namespace
}  // namespace specthink
