// The matrix products of a decode step over 8-bit weights against float32 products of LibTorch.
#include <gtest/gtest.h>

#include <cmath>
#include <iterator>

#include "kernels/decode/linear/layout.h"
#include "kernels/decode/linear/weights.h"
#include "kernels/gpu_test.h"
#include "specthink/kernels/limits.h"

namespace specthink {
namespace {

using namespace testing_support;

constexpr double kScaledSumError = 2e-4;  // of sums of products of the size of 1, in another order

struct ScaledSize {
  std::int64_t rows, columns;
  std::int64_t scale_rows, scale_columns;
};
// One row and many, groups that are not full, fewer columns than a chunk's 1024, several groups a block.
constexpr ScaledSize kScaledSizes[] = {{2, 16, 2, 64},         {2, 5120, 128, 128},    {8, 48, 8, 128},
                                       {78, 528, 2, 64},       {1002, 1008, 2, 128},   {1024, 4864, 64, 64},
                                       {5120, 5120, 128, 128}, {6144, 2048, 128, 128}, {5120, 12800, 128, 128},
                                       {20000, 528, 32, 64}};

class linear_float8_test : public GpuTest {
 protected:
  using Weights = Float8Weights;
  Weights weights(const ScaledSize& size) const {
    return float8_weights(size.rows, size.columns, size.scale_rows, size.scale_columns);
  }

  /// `budget` 0: one after the other.
  LinearParams params(const WeightMatrix& matrix, int x_rows, LinearInput input, LinearOutput output,
                      std::size_t budget = 0) {
    LinearParams p;
    p.rows = output == LinearOutput::swiglu ? matrix.data.size(0) / 2 : matrix.data.size(0);
    p.columns = matrix.data.size(1);
    ++launches_;
    if (budget == 0) budget = kBudgets[launches_ % std::size(kBudgets)];
    p.geometry =
        choose_geometry(p.rows, p.columns, x_rows, input, output, multiprocessors(), budget, WeightFormat::float8);
    set_weights(p, matrix);
    p.limit = limit();
    return p;
  }
  void launch(const LinearParams& p, int x_rows, LinearInput input, LinearOutput output) {
    launch_linear(p, type(), x_rows, input, output, launches_ % 2 == 0, stream(), WeightFormat::float8);
  }
  /// LinearInput::scaled, of rows of any size.
  struct Scaled {
    explicit Scaled(const at::Tensor& x)
        : factors(at::exp2(12 - at::arange(x.size(0), x.options().dtype(at::kFloat)))),
          inverses(factors.reciprocal()),
          halves(to_activations((x.to(at::kFloat) * factors.unsqueeze(1)).to(at::kHalf))) {}
    at::Tensor factors, inverses, halves;
  };
  at::Tensor activations(std::int64_t columns) { return at::randn({16, columns}, elements()); }
  static at::Tensor times(const at::Tensor& x, const at::Tensor& values) {
    return at::matmul(x.to(at::kDouble), values.to(at::kDouble).t()).to(at::kFloat);
  }
  static std::string name(const ScaledSize& size, int x_rows, const char* kind) {
    return std::string(kind) + " of [" + std::to_string(size.rows) + ", " + std::to_string(size.columns) +
           "], blocks of " + std::to_string(size.scale_rows) + " x " + std::to_string(size.scale_columns) + ", " +
           std::to_string(x_rows) + " rows";
  }
  void expect_swiglu(const at::Tensor& y, const at::Tensor& gate_up, double error, const std::string& what) {
    const std::int64_t rows = gate_up.size(1) / 2;
    const at::Tensor expected = at::silu(gate_up.narrow(1, 0, rows)) * gate_up.narrow(1, rows, rows);
    const at::Tensor found = from_activations(y, gate_up.size(0));
    expect_near(found.narrow(1, 0, rows), expected, error, error + rounding(), what);
    EXPECT_TRUE(found.narrow(1, rows, found.size(1) - rows).isnan().all().item<bool>()) << what << ": written beyond";
  }

  int launches_ = 0;
};

TEST_P(linear_float8_test, values_and_partial_sums) {
  for (const ScaledSize& size : kScaledSizes) {
    if (sanitized() && size.rows * size.columns > (sanitizer() == "racecheck" ? 100'000 : 1'200'000)) continue;
    const Weights w = weights(size);
    const at::Tensor x = activations(size.columns);
    const at::Tensor expected = times(x, w.values);
    const at::Tensor residual = at::randn({16, size.rows}, floats());
    for (const int x_rows : kStepRowCounts) {
      const at::Tensor input = to_activations(x.narrow(0, 0, x_rows));
      const at::Tensor sums = expected.narrow(0, 0, x_rows);
      LinearParams p = params(w.matrix, x_rows, LinearInput::activations, LinearOutput::values);
      p.x = input.const_data_ptr();
      const at::Tensor y = at::full({sums.numel() + kTail}, kNan, floats());
      p.y = y.mutable_data_ptr();
      launch(p, x_rows, LinearInput::activations, LinearOutput::values);
      expect_near(y.narrow(0, 0, sums.numel()).view(sums.sizes()), sums, kScaledSumError, kScaledSumError,
                  name(size, x_rows, "values"));
      EXPECT_TRUE(y.narrow(0, sums.numel(), kTail).isnan().all().item<bool>()) << "written beyond the end";

      if (x_rows > 1 && GetParam() == at::kBFloat16) {
        const Scaled scaled_x(x.narrow(0, 0, x_rows));
        p = params(w.matrix, x_rows, LinearInput::scaled, LinearOutput::values);
        p.x = scaled_x.halves.const_data_ptr();
        p.x_inverses = scaled_x.inverses.const_data_ptr<float>();
        p.y = y.fill_(kNan).mutable_data_ptr();
        launch(p, x_rows, LinearInput::scaled, LinearOutput::values);
        expect_near(y.narrow(0, 0, sums.numel()).view(sums.sizes()), sums, kScaledSumError, kScaledSumError,
                    name(size, x_rows, "values of scaled rows"));
      }

      p = params(w.matrix, x_rows, LinearInput::activations, LinearOutput::partials);
      p.x = input.const_data_ptr();
      const at::Tensor received = not_yet({sums.numel() + kTail});
      p.partials.sent.to[0] = received.mutable_data_ptr<float>();
      p.partials.sent.ranks = 1;
      p.partials.residual = residual.const_data_ptr<float>();
      launch(p, x_rows, LinearInput::activations, LinearOutput::partials);
      expect_near(received.narrow(0, 0, sums.numel()).view(sums.sizes()), sums + residual.narrow(0, 0, x_rows),
                  kScaledSumError, kScaledSumError, name(size, x_rows, "partial sums"));
      EXPECT_TRUE(is_not_yet(received.narrow(0, sums.numel(), kTail))) << "written beyond the end";
    }
  }
}

TEST_P(linear_float8_test, swiglu) {
  for (ScaledSize size : kScaledSizes) {
    if (sanitized() && size.rows * size.columns > (sanitizer() == "racecheck" ? 100'000 : 1'200'000)) continue;
    const std::int64_t rows = size.rows;
    if (rows % size.scale_rows != 0) continue;  // the up rows begin a block
    size.rows *= 2;
    const Weights w = weights(size);
    const at::Tensor x = activations(size.columns);
    const at::Tensor gate_up = times(x, w.values);
    for (const int x_rows : kStepRowCounts) {
      const at::Tensor input = to_activations(x.narrow(0, 0, x_rows));
      LinearParams p = params(w.matrix, x_rows, LinearInput::activations, LinearOutput::swiglu);
      p.x = input.const_data_ptr();
      const at::Tensor y = at::full({padded_columns(rows) * x_rows}, kNan, elements());
      p.y = y.mutable_data_ptr();
      launch(p, x_rows, LinearInput::activations, LinearOutput::swiglu);
      expect_swiglu(y, gate_up.narrow(0, 0, x_rows), kScaledSumError, name(size, x_rows, "swiglu"));
      if (x_rows == 1 || GetParam() != at::kBFloat16) continue;
      const Scaled scaled_x(x.narrow(0, 0, x_rows));
      p = params(w.matrix, x_rows, LinearInput::scaled, LinearOutput::swiglu);
      p.x = scaled_x.halves.const_data_ptr();
      p.x_inverses = scaled_x.inverses.const_data_ptr<float>();
      p.y = y.fill_(kNan).mutable_data_ptr();
      launch(p, x_rows, LinearInput::scaled, LinearOutput::swiglu);
      expect_swiglu(y, gate_up.narrow(0, 0, x_rows), kScaledSumError, name(size, x_rows, "swiglu of scaled rows"));
    }
  }
}

/// One group a block: all counts of eights of rows that a warp multiplies at once, the last of them full or not.
TEST_P(linear_float8_test, groups_of_any_size) {
  for (const int group_rows : {2, 8, 10, 16, 18, 24, 26, 32, 34, 40, 42, 48}) {
    const ScaledSize size{std::int64_t{group_rows} * multiprocessors(), sanitized() ? 528 : 1536, 128, 128};
    const Weights w = weights(size);
    const at::Tensor x = activations(size.columns);
    const at::Tensor expected = times(x, w.values);
    for (const int x_rows : {1, 2, 8, 16}) {
      const at::Tensor input = to_activations(x.narrow(0, 0, x_rows));
      LinearParams p = params(w.matrix, x_rows, LinearInput::activations, LinearOutput::values, kWholeBudget);
      if (x_rows == 1) EXPECT_EQ(p.geometry.group_rows, group_rows);
      p.x = input.const_data_ptr();
      const at::Tensor y = at::full({x_rows, size.rows}, kNan, floats());
      p.y = y.mutable_data_ptr();
      launch(p, x_rows, LinearInput::activations, LinearOutput::values);
      expect_near(y, expected.narrow(0, 0, x_rows), kScaledSumError, kScaledSumError, name(size, x_rows, "values"));
    }
  }
}

/// Which are scaled for it. (float16 activations are multiplied as they are.)
TEST_P(linear_float8_test, activations_that_float16_could_not_hold) {
  if (GetParam() != at::kBFloat16) return;
  const ScaledSize size{1024, 4864, 64, 64};
  const Weights w = weights(size);
  for (const double exponent : {20.0, -60.0}) {
    // Rows of different sizes.
    const at::Tensor sizes = at::exp2(exponent - at::arange(16, floats())).unsqueeze(1);
    const at::Tensor x = (at::randn({16, size.columns}, floats()) * sizes).to(GetParam());
    const at::Tensor expected = times(x, w.values) / sizes;
    for (const int x_rows : kStepRowCounts) {
      const at::Tensor input = to_activations(x.narrow(0, 0, x_rows));
      LinearParams p = params(w.matrix, x_rows, LinearInput::activations, LinearOutput::values);
      p.x = input.const_data_ptr();
      const at::Tensor y = at::full({x_rows, size.rows}, kNan, floats());
      p.y = y.mutable_data_ptr();
      launch(p, x_rows, LinearInput::activations, LinearOutput::values);
      expect_near(y / sizes.narrow(0, 0, x_rows), expected.narrow(0, 0, x_rows), kScaledSumError, kScaledSumError,
                  name(size, x_rows, "values") + ", of the size of 2^" + std::to_string(exponent));
    }
  }
}

TEST_P(linear_float8_test, norm_of_received_partial_sums) {
  constexpr double kEps = 1e-6;
  for (const std::int64_t hidden : {16, 528, 1008, 2048, 4096, 4864, 5120, 8192}) {
    for (const std::int64_t rows : {2, 78, 6144}) {
      const LinearOutput output = rows == 78 ? LinearOutput::values : LinearOutput::swiglu;
      const ScaledSize size{output == LinearOutput::swiglu ? 2 * rows : rows, hidden, 2, 64};
      const Weights w = weights(size);
      const at::Tensor received = at::randn({1, hidden}, floats());
      const at::Tensor norm_weight = at::rand({hidden}, elements()).add_(0.5);
      const at::Tensor residual = at::empty({hidden}, floats());
      const at::Tensor x =
          (received * at::rsqrt(received.square().mean() + kEps) * norm_weight.to(at::kFloat)).to(GetParam());
      LinearParams p = params(w.matrix, 1, LinearInput::norm, output);
      p.norm.received.data = received.const_data_ptr<float>();
      p.norm.received.rank_stride = hidden;
      p.norm.received.ranks = 1;
      p.norm.weight = norm_weight.const_data_ptr();
      p.norm.residual_out = residual.mutable_data_ptr<float>();
      p.norm.eps = static_cast<float>(kEps);
      const at::Tensor expected = times(x, w.values);
      const at::Tensor y = output == LinearOutput::swiglu ? at::full({padded_columns(rows)}, kNan, elements())
                                                          : at::full({rows}, kNan, floats());
      p.y = y.mutable_data_ptr();
      launch(p, 1, LinearInput::norm, output);
      // An element of x that lies between two values of the type may be rounded the other way.
      const double error = kScaledSumError + 8 * rounding() / std::sqrt(static_cast<double>(hidden));
      const std::string what = name(size, 1, "normed product");
      if (output == LinearOutput::swiglu) {
        expect_swiglu(y, expected, 4 * error, what);
      } else {
        expect_near(y.view(expected.sizes()), expected, error, error, what);
      }
    }
  }
}

/// The same of a row whose norm is inside: its weights bring it there.
TEST_P(linear_float8_test, normed_row_that_float16_could_not_hold) {
  if (GetParam() != at::kBFloat16) return;
  constexpr double kEps = 1e-6;
  const ScaledSize size{1002, 5120, 2, 64};
  const Weights w = weights(size);
  const at::Tensor received = at::randn({1, size.columns}, floats());
  const at::Tensor residual = at::empty({size.columns}, floats());
  for (const double exponent : {20.0, -60.0}) {
    const double unit = std::exp2(exponent);
    const at::Tensor norm_weight = at::rand({size.columns}, floats()).add_(0.5).mul_(unit).to(GetParam());
    const at::Tensor x =
        (received * at::rsqrt(received.square().mean() + kEps) * norm_weight.to(at::kFloat)).to(GetParam());
    LinearParams p = params(w.matrix, 1, LinearInput::norm, LinearOutput::values);
    p.norm.received.data = received.const_data_ptr<float>();
    p.norm.received.rank_stride = size.columns;
    p.norm.received.ranks = 1;
    p.norm.weight = norm_weight.const_data_ptr();
    p.norm.residual_out = residual.mutable_data_ptr<float>();
    p.norm.eps = static_cast<float>(kEps);
    const at::Tensor y = at::full({1, size.rows}, kNan, floats());
    p.y = y.mutable_data_ptr();
    launch(p, 1, LinearInput::norm, LinearOutput::values);
    const double error = kScaledSumError + 8 * rounding() / std::sqrt(static_cast<double>(size.columns));
    expect_near(y / unit, times(x, w.values) / unit, error, error,
                name(size, 1, "normed product") + ", of the size of 2^" + std::to_string(exponent));
  }
}

INSTANTIATE_TEST_SUITE_P(types, linear_float8_test, testing::Values(at::kBFloat16, at::kHalf),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

}  // namespace
}  // namespace specthink
