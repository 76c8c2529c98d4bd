// The products of a short prefill against float32 operators of LibTorch.
#include <gtest/gtest.h>

#include "specthink/kernels/prefill_linear.h"

#ifndef SPECTHINK_WITH_CUDA
TEST(prefill_linear, does_not_run_in_this_build) {
  EXPECT_EQ(specthink::PrefillLinear::create({}, specthink::PrefillLinear::Kind::plain, at::kBFloat16), nullptr);
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
struct Float8Shape {
  LinearShape size;
  std::int64_t scale_rows, scale_columns;
};
// The same; blocks of every size that a matrix has, of one row and sixteen columns too.
constexpr Float8Shape kFloat8Shapes[] = {{{8, 16}, 1, 16},         {{72, 208}, 128, 128},  {{136, 64}, 1, 16},
                                         {{136, 1040}, 2, 32},     {{2048, 1024}, 64, 64}, {{2048, 3072}, 128, 128},
                                         {{3072, 4096}, 128, 128}, {{5120, 4096}, 8, 256}, {{5120, 5120}, 128, 128},
                                         {{5128, 1008}, 4, 128},   {{20000, 144}, 32, 16}, {{30000, 528}, 128, 128},
                                         {{25600, 5120}, 128, 128}};

class prefill_linear : public GpuTest {
 protected:
  void SetUp() override {
    GpuTest::SetUp();
    if (IsSkipped()) return;
    if (!has_wgmma_code(device().index())) GTEST_SKIP() << "the kernel runs on Hopper GPUs only";
    ASSERT_TRUE(create(at::empty({64, 64}, elements()), Kind::plain));
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

  static WeightMatrix matrix_of(const at::Tensor& weights) {
    return {weights, weights.scalar_type() == at::kBFloat16 ? WeightType::bfloat16
                     : weights.scalar_type() == at::kHalf   ? WeightType::float16
                                                            : WeightType::float32};
  }
  std::unique_ptr<PrefillLinear> create(const at::Tensor& weights, Kind kind) const {
    return PrefillLinear::create(matrix_of(weights), kind, GetParam());
  }

  struct Weights {
    WeightMatrix matrix;
    at::Tensor values;  // [rows, k] of the type of x: what it multiplies by
  };
  Weights weights(std::int64_t rows, std::int64_t k) const {
    const at::Tensor values = random({rows, k}) / std::sqrt(static_cast<double>(k));
    return {matrix_of(values), values};
  }
  Weights weights_of_8_bits(std::int64_t rows, const Float8Shape& shape) const {
    const Float8Weights weights = float8_weights(rows, shape.size.k, shape.scale_rows, shape.scale_columns);
    return {weights.matrix, weights.values.to(GetParam())};
  }

  /// body(linear layer, x, outputs, x · Wᵀ in float32) for all row counts.
  template <typename Body>
  void each_row_count(Kind kind, const LinearShape& shape, const Weights& weights, Body&& body) {
    const auto linear = PrefillLinear::create(weights.matrix, kind, GetParam());
    ASSERT_NE(linear, nullptr);
    for (const std::int64_t rows : kRows) {
      if (sanitized() && rows != 65 && rows != 17) continue;
      SCOPED_TRACE(std::to_string(rows) + " rows, " + std::to_string(shape.outputs) + " x " + std::to_string(shape.k));
      const at::Tensor x = random({rows, shape.k});
      body(*linear, x, shape.outputs, at::mm(x.to(at::kFloat), weights.values.to(at::kFloat).t()));
      if (HasFailure()) return;
    }
  }
  /// The same for all shapes, of 16-bit weights and of 8-bit ones.
  template <typename Body>
  void each_linear(Kind kind, Body&& body) {
    const int parts = kind == Kind::gated ? 2 : 1;
    for (const LinearShape& shape : kLinearShapes) {
      if (sanitizer() == "racecheck" && shape.outputs * shape.k > 3'000'000) continue;
      each_row_count(kind, shape, weights(parts * shape.outputs, shape.k), body);
      if (HasFailure()) return;
    }
    for (const Float8Shape& shape : kFloat8Shapes) {
      if (sanitizer() == "racecheck" && shape.size.outputs * shape.size.k > 3'000'000) continue;
      SCOPED_TRACE("8 bits");
      each_row_count(kind, shape.size, weights_of_8_bits(parts * shape.size.outputs, shape), body);
      if (HasFailure()) return;
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
  const auto check_sums = [&](const LinearShape& shape, const Weights& w) {
    for (const std::int64_t rows : {32, 64, 128}) {
      const std::string what =
          std::to_string(rows) + " rows, " + std::to_string(shape.outputs) + " x " + std::to_string(shape.k);
      const at::Tensor x = random({rows, shape.k});
      const at::Tensor bias = random({shape.outputs});
      const at::Tensor residual = at::randn({rows, shape.outputs}, floats());
      const at::Tensor received = not_yet({2, rows * shape.outputs + kTail});
      PrefillLinearParams params = prefill_linear_params(w.matrix, false);
      set_x(params, x.const_data_ptr(), static_cast<int>(rows));
      params.sent.ranks = 2;
      for (int rank = 0; rank < 2; ++rank) params.sent.to[rank] = received[rank].mutable_data_ptr<float>();
      if (rows != 64) params.bias = bias.const_data_ptr();
      if (rows != 32) params.residual = residual.const_data_ptr<float>();
      launch_prefill_linear(params, type(), stream());
      at::Tensor expected = at::mm(x.to(at::kFloat), w.values.to(at::kFloat).t());
      if (params.bias) expected = expected + bias.to(at::kFloat);
      if (params.residual) expected = expected + residual;
      for (int rank = 0; rank < 2; ++rank) {
        const at::Tensor sums = received[rank].narrow(0, 0, rows * shape.outputs).view({rows, shape.outputs});
        expect_near(sums, expected, 1e-4, 1e-5, what);
        EXPECT_TRUE(is_not_yet(received[rank].narrow(0, rows * shape.outputs, kTail))) << what;
      }
      if (HasFailure()) return;
    }
  };
  for (const LinearShape& shape : kLinearShapes) {
    if (sanitizer() == "racecheck" && shape.outputs * shape.k > 3'000'000) continue;
    check_sums(shape, weights(shape.outputs, shape.k));
  }
  for (const Float8Shape& shape : kFloat8Shapes) {
    if (sanitizer() == "racecheck" && shape.size.outputs * shape.size.k > 3'000'000) continue;
    check_sums(shape.size, weights_of_8_bits(shape.size.outputs, shape));
  }
}

/// As in a model: each linear layer reads what the one before has written, and starts before that one has ended.
TEST_P(prefill_linear, waits_for_the_kernel_before) {
  constexpr std::int64_t kSize = 2048;
  const auto linear = create(random({kSize, kSize}) / std::sqrt(static_cast<double>(kSize)), Kind::plain);
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
  EXPECT_EQ(create(random({64, 20}), Kind::plain), nullptr);
  EXPECT_EQ(create(random({20, 64}), Kind::plain), nullptr);
  EXPECT_EQ(create(at::zeros({64, 64}, floats()), Kind::plain), nullptr);
  const auto create_float8 = [&](const Float8Shape& shape) {
    return PrefillLinear::create(weights_of_8_bits(shape.size.outputs, shape).matrix, Kind::plain, at::kBFloat16);
  };
  EXPECT_NE(create_float8({{64, 48}, 128, 128}), nullptr);
  EXPECT_EQ(create_float8({{64, 40}, 128, 128}), nullptr);
  EXPECT_EQ(create_float8({{64, 48}, 128, 8}), nullptr);
  EXPECT_EQ(create_float8({{20, 48}, 128, 128}), nullptr);
  const auto linear = create(random({64, 128}), Kind::plain);
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
