// The products of a short prefill against float32 operators of LibTorch.
#include <gtest/gtest.h>

#include "specthink/kernels/prefill_linear.h"

#ifndef SPECTHINK_WITH_CUDA
TEST(prefill_linear, does_not_run_in_this_build) {
  EXPECT_EQ(specthink::PrefillLinear::create({}, specthink::PrefillLinear::Kind::plain), nullptr);
}
#else

#include "kernels/device/hopper.h"
#include "kernels/gpu_test.h"
#include "kernels/prefill/linear_device.h"
#include "specthink/kernels/prefill_ops.h"

namespace specthink {
namespace {

using namespace testing_support;
using Kind = PrefillLinear::Kind;

struct LinearShape {
  std::int64_t outputs, k;
};
// Split and whole linear layers, one tile and several in turn, ends within a tile and within a chunk, models' shapes.
constexpr LinearShape kLinearShapes[] = {{8, 8},       {72, 200},    {136, 64},    {2048, 1024},
                                         {2048, 3072}, {3072, 4096}, {5120, 4096}, {5120, 5120},
                                         {5128, 1000}, {5120, 8},    {20000, 136}, {30000, 520}};
constexpr std::int64_t kRows[] = {1, 17, 63, 64, 65, 120, 128};

class prefill_linear : public GpuTest {
 protected:
  void SetUp() override {
    GpuTest::SetUp();
    if (IsSkipped()) return;
    if (!has_wgmma_code(device().index())) GTEST_SKIP() << "the kernel runs on Hopper GPUs only";
    ASSERT_TRUE(PrefillLinear::create(at::empty({64, 64}, elements()), Kind::plain));
  }

  /// y of `rows`, within a tensor that is NaN elsewhere; checks that nothing else is written and that a second run
  /// gives the same bits.
  at::Tensor run(const PrefillLinear& linear, const at::Tensor& x, const at::Tensor& bias, std::int64_t outputs) {
    const std::int64_t rows = x.size(0);
    at::Tensor first;
    for (int time = 0; time < 2; ++time) {
      const at::Tensor around = at::full({rows + 2, outputs}, kNan, elements());
      at::Tensor y = around.narrow(0, 1, rows);
      linear.run(x, bias, y);
      EXPECT_TRUE(around[0].isnan().all().item<bool>() && around[rows + 1].isnan().all().item<bool>());
      EXPECT_TRUE(!first.defined() || at::equal(first, y)) << "two runs differ";
      first = y;
    }
    return first;
  }

  at::Tensor random(at::IntArrayRef sizes) const { return at::randn(sizes, elements()); }

  /// body(linear layer, x, outputs, x · Wᵀ in float32) for all shapes and row counts.
  template <typename Body>
  void each_linear(Kind kind, Body&& body) {
    for (const LinearShape& shape : kLinearShapes) {
      if (sanitizer() == "racecheck" && shape.outputs * shape.k > 3'000'000) continue;
      const std::int64_t weight_rows = kind == Kind::gated ? 2 * shape.outputs : shape.outputs;
      const at::Tensor weights = random({weight_rows, shape.k}) / std::sqrt(static_cast<double>(shape.k));
      const auto linear = PrefillLinear::create(weights, kind);
      ASSERT_NE(linear, nullptr);
      for (const std::int64_t rows : kRows) {
        if (sanitized() && rows != 65 && rows != 17) continue;
        SCOPED_TRACE(std::to_string(rows) + " rows, " + std::to_string(shape.outputs) + " x " +
                     std::to_string(shape.k));
        const at::Tensor x = random({rows, shape.k});
        body(*linear, x, shape.outputs, at::mm(x.to(at::kFloat), weights.to(at::kFloat).t()));
        if (HasFailure()) return;
      }
    }
  }
};

TEST_P(prefill_linear, plain) {
  each_linear(Kind::plain,
              [&](const PrefillLinear& linear, const at::Tensor& x, std::int64_t outputs, const at::Tensor& values) {
                const at::Tensor bias = x.size(0) % 2 ? random({outputs}) : at::Tensor();
                const at::Tensor expected = bias.defined() ? values + bias.to(at::kFloat) : values;
                expect_near(run(linear, x, bias, outputs), expected, rounding() / 16, 2 * rounding(), "linear");
              });
}

TEST_P(prefill_linear, gated) {
  each_linear(Kind::gated,
              [&](const PrefillLinear& linear, const at::Tensor& x, std::int64_t outputs, const at::Tensor& both) {
                const at::Tensor expected = at::silu(both.narrow(1, 0, outputs)) * both.narrow(1, outputs, outputs);
                // Gate, its activation, the other part and their linear layer are each rounded.
                expect_near(run(linear, x, {}, outputs), expected, rounding(), 6 * rounding(), "gated product");
              });
}

/// What a decode step of many sequences takes: float32 sums to two ranks, with what the first of them adds.
TEST_P(prefill_linear, sums_are_sent_unrounded) {
  for (const LinearShape& shape : kLinearShapes) {
    if (sanitizer() == "racecheck" && shape.outputs * shape.k > 3'000'000) continue;
    const at::Tensor weights = random({shape.outputs, shape.k}) / std::sqrt(static_cast<double>(shape.k));
    for (const std::int64_t rows : {32, 64, 128}) {
      const std::string what =
          std::to_string(rows) + " rows, " + std::to_string(shape.outputs) + " x " + std::to_string(shape.k);
      const at::Tensor x = random({rows, shape.k});
      const at::Tensor bias = random({shape.outputs});
      const at::Tensor residual = at::randn({rows, shape.outputs}, floats());
      const at::Tensor received = not_yet({2, rows * shape.outputs + kTail});
      PrefillLinearParams params = prefill_linear_params(weights, false);
      set_x(params, x.const_data_ptr(), static_cast<int>(rows));
      params.sent.ranks = 2;
      for (int rank = 0; rank < 2; ++rank) params.sent.to[rank] = received[rank].mutable_data_ptr<float>();
      if (rows != 64) params.bias = bias.const_data_ptr();
      if (rows != 32) params.residual = residual.const_data_ptr<float>();
      launch_prefill_linear(params, type(), stream());
      at::Tensor expected = at::mm(x.to(at::kFloat), weights.to(at::kFloat).t());
      if (params.bias) expected = expected + bias.to(at::kFloat);
      if (params.residual) expected = expected + residual;
      for (int rank = 0; rank < 2; ++rank) {
        const at::Tensor sums = received[rank].narrow(0, 0, rows * shape.outputs).view({rows, shape.outputs});
        expect_near(sums, expected, 1e-4, 1e-5, what);
        EXPECT_TRUE(is_not_yet(received[rank].narrow(0, rows * shape.outputs, kTail))) << what;
      }
      if (HasFailure()) return;
    }
  }
}

/// As in a model: each linear layer reads what the one before has written, and starts before that one has ended.
TEST_P(prefill_linear, waits_for_the_kernel_before) {
  constexpr std::int64_t kSize = 2048;
  const at::Tensor weights = random({kSize, kSize}) / std::sqrt(static_cast<double>(kSize));
  const auto linear = PrefillLinear::create(weights, Kind::plain);
  const at::Tensor start = random({100, kSize});
  at::Tensor alone = start.clone();
  at::Tensor other = at::empty_like(alone);
  for (int i = 0; i < 20; ++i) {
    linear->run(alone, {}, other);
    check_cuda(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    std::swap(alone, other);
  }
  at::Tensor queued = start.clone();
  other = at::empty_like(queued);
  for (int i = 0; i < 20; ++i) {
    linear->run(queued, {}, other);
    std::swap(queued, other);
  }
  EXPECT_TRUE(at::equal(alone, queued));
}

TEST_P(prefill_linear, refuses_what_does_not_fit) {
  EXPECT_EQ(PrefillLinear::create(random({64, 20}), Kind::plain), nullptr);
  EXPECT_EQ(PrefillLinear::create(random({20, 64}), Kind::plain), nullptr);
  EXPECT_EQ(PrefillLinear::create(at::zeros({64, 64}, floats()), Kind::plain), nullptr);
  const auto linear = PrefillLinear::create(random({64, 128}), Kind::plain);
  at::Tensor y = at::empty({10, 64}, elements());
  EXPECT_THROW(linear->run(random({10, 64}), {}, y), InternalError);
  EXPECT_THROW(linear->run(random({9, 128}), {}, y), InternalError);
  EXPECT_THROW(linear->run(random({10, 128}), random({65}), y), InternalError);
  at::Tensor many = at::empty({129, 64}, elements());
  EXPECT_THROW(linear->run(random({129, 128}), {}, many), InternalError);
}

INSTANTIATE_TEST_SUITE_P(types, prefill_linear, testing::Values(at::kBFloat16, at::kHalf));

}  // namespace
}  // namespace specthink

#endif
