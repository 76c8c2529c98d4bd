// The matrix products of a decode step against float32 products of LibTorch.
#include <gtest/gtest.h>

#include <cmath>
#include <iterator>

#include "kernels/decode/linear/layout.h"
#include "kernels/decode/linear/linear.h"
#include "kernels/device/tensor_map.h"
#include "kernels/gpu_test.h"
#include "specthink/kernels/limits.h"

namespace specthink {
namespace {

using namespace testing_support;

constexpr double kSumError = 1e-4;  // of sums of products of the size of 1, in another order

struct Size {
  std::int64_t rows, columns;
};
// One row and many, groups that are not full, fewer columns than a warp's 32 or a chunk's 512, several groups a block.
constexpr Size kSizes[] = {{1, 8},       {1, 5120},     {7, 24},      {7, 12800},   {77, 520},    {77, 1000},
                           {1001, 8},    {1001, 1000},  {1001, 4864}, {5120, 24},   {5120, 5120}, {6145, 520},
                           {6145, 4864}, {5120, 12800}, {20001, 520}, {13001, 2056}};

std::string name(const Size& size, int x_rows, const char* kind) {
  return std::string(kind) + " of [" + std::to_string(size.rows) + ", " + std::to_string(size.columns) + "], " +
         std::to_string(x_rows) + " rows";
}

class linear_test : public GpuTest {
 protected:
  /// Random weights between NaNs: what lies around the matrix must not count.
  struct Weights {
    at::Tensor memory;
    at::Tensor matrix;  // [rows, columns]
  };
  Weights weights(std::int64_t rows, std::int64_t columns) {
    if (!random_.defined()) random_ = at::randn({13002 * 8192}, elements());
    const std::int64_t guard = 64 * columns;
    Weights result;
    result.memory = at::full({rows * columns + 2 * guard}, kNan, elements());
    result.matrix = result.memory.narrow(0, guard, rows * columns).view({rows, columns});
    result.matrix.copy_(random_.narrow(0, 0, rows * columns).view({rows, columns}));
    result.matrix.mul_(1 / std::sqrt(static_cast<double>(columns)));
    return result;
  }

  LinearParams params(const at::Tensor& matrix, int x_rows, LinearInput input, LinearOutput output) {
    LinearParams p;
    p.rows = output == LinearOutput::swiglu ? matrix.size(0) / 2 : matrix.size(0);
    p.columns = matrix.size(1);
    const std::size_t budget = kBudgets[++launches_ % std::size(kBudgets)];
    p.geometry = choose_geometry(p.rows, p.columns, x_rows, input, output, multiprocessors(), budget);
    p.weights = make_tensor_map(matrix.const_data_ptr(), matrix.size(0), 2 * matrix.size(1), p.geometry.group_rows);
    p.limit = limit();
    return p;
  }
  void launch(const LinearParams& p, int x_rows, LinearInput input, LinearOutput output) {
    launch_linear(p, type(), x_rows, input, output, launches_ % 2 == 0, stream());
  }

  /// x [16, columns] in the type.
  at::Tensor activations(std::int64_t columns) { return at::randn({16, columns}, elements()); }

  static at::Tensor times(const at::Tensor& x, const at::Tensor& matrix) {
    return at::matmul(x.to(at::kFloat), matrix.to(at::kFloat).t());
  }

  void expect_values(const at::Tensor& y, const at::Tensor& expected, double error, const std::string& what) {
    expect_near(y.narrow(0, 0, expected.numel()).view(expected.sizes()), expected, error, error, what);
    EXPECT_TRUE(y.narrow(0, expected.numel(), kTail).isnan().all().item<bool>()) << what << ": written beyond the end";
  }

  /// `y`: activation layout, NaN before.
  void expect_swiglu(const at::Tensor& y, const at::Tensor& gate_up, double error, const std::string& what) {
    const std::int64_t rows = gate_up.size(1) / 2;
    const at::Tensor expected = at::silu(gate_up.narrow(1, 0, rows)) * gate_up.narrow(1, rows, rows);
    const at::Tensor found = from_activations(y, gate_up.size(0));
    expect_near(found.narrow(1, 0, rows), expected, error, error + rounding(), what);
    EXPECT_TRUE(found.narrow(1, rows, found.size(1) - rows).isnan().all().item<bool>()) << what << ": written beyond";
  }

  at::Tensor random_;
  int launches_ = 0;
};

TEST_P(linear_test, values_and_partial_sums) {
  for (const Size& size : kSizes) {
    if (sanitized() && size.rows * size.columns > (sanitizer() == "racecheck" ? 100'000 : 1'200'000)) continue;
    const Weights w = weights(size.rows, size.columns);
    const at::Tensor x = activations(size.columns);
    const at::Tensor expected = times(x, w.matrix);
    const at::Tensor residual = at::randn({16, size.rows}, floats());
    const at::Tensor bias = at::randn({size.rows}, elements());
    int turn = 0;
    for (const int x_rows : kStepRowCounts) {
      const at::Tensor input = to_activations(x.narrow(0, 0, x_rows));
      const at::Tensor sums = expected.narrow(0, 0, x_rows);
      LinearParams p = params(w.matrix, x_rows, LinearInput::activations, LinearOutput::values);
      p.x = input.const_data_ptr();
      const at::Tensor y = at::full({sums.numel() + kTail}, kNan, floats());
      p.y = y.mutable_data_ptr();
      launch(p, x_rows, LinearInput::activations, LinearOutput::values);
      expect_values(y, sums, kSumError, name(size, x_rows, "values"));

      // Partial sums to one or two ranks, with the residual, with the bias too, or with neither.
      const int ranks = 1 + turn % 2;
      const int extras = turn++ % 3;
      p = params(w.matrix, x_rows, LinearInput::activations, LinearOutput::partials);
      p.x = input.const_data_ptr();
      const at::Tensor received = not_yet({2, sums.numel() + kTail});
      for (int rank = 0; rank < ranks; ++rank) p.partials.sent.to[rank] = received[rank].mutable_data_ptr<float>();
      p.partials.sent.ranks = ranks;
      at::Tensor whole = sums;
      if (extras > 0) {
        p.partials.residual = residual.const_data_ptr<float>();
        whole = whole + residual.narrow(0, 0, x_rows);
      }
      if (extras > 1) {
        p.partials.bias = bias.const_data_ptr();
        whole = whole + bias.to(at::kFloat);
      }
      launch(p, x_rows, LinearInput::activations, LinearOutput::partials);
      const std::string what = name(size, x_rows, "partial sums");
      for (int rank = 0; rank < ranks; ++rank) {
        expect_near(received[rank].narrow(0, 0, sums.numel()).view(sums.sizes()), whole, kSumError, kSumError, what);
        EXPECT_TRUE(is_not_yet(received[rank].narrow(0, sums.numel(), kTail))) << what << ": written beyond the end";
      }
      const bool one_only = ranks > 1 || is_not_yet(received[1]);
      EXPECT_TRUE(one_only) << what << ": sent to a rank that is not there";
    }
  }
}

TEST_P(linear_test, swiglu) {
  for (const Size& size : kSizes) {
    if (sanitized() && size.rows * size.columns > (sanitizer() == "racecheck" ? 100'000 : 1'200'000)) continue;
    const std::int64_t rows = (size.rows + 1) / 2;
    const Weights w = weights(2 * rows, size.columns);
    const at::Tensor x = activations(size.columns);
    const at::Tensor gate_up = times(x, w.matrix);
    for (const int x_rows : kStepRowCounts) {
      const at::Tensor input = to_activations(x.narrow(0, 0, x_rows));
      LinearParams p = params(w.matrix, x_rows, LinearInput::activations, LinearOutput::swiglu);
      p.x = input.const_data_ptr();
      const at::Tensor y = at::full({padded_columns(rows) * x_rows}, kNan, elements());
      p.y = y.mutable_data_ptr();
      launch(p, x_rows, LinearInput::activations, LinearOutput::swiglu);
      expect_swiglu(y, gate_up.narrow(0, 0, x_rows), kSumError, name({rows, size.columns}, x_rows, "swiglu"));
    }
  }
}

/// A rank's sums, the norm and its linear layers in one kernel.
TEST_P(linear_test, norm_of_received_partial_sums) {
  constexpr double kEps = 1e-6;
  for (const std::int64_t hidden : {8, 24, 520, 1000, 2048, 2056, 4096, 4864, 5120, 8192}) {
    for (const std::int64_t rows : {1, 77, 6144, 13001}) {
      for (const int ranks : {1, 2, 3}) {
        const LinearOutput output = (rows + ranks) % 2 == 0 ? LinearOutput::swiglu : LinearOutput::values;
        const std::int64_t weight_rows = output == LinearOutput::swiglu ? (rows + 1) / 2 * 2 : rows;
        const Weights w = weights(weight_rows, hidden);
        const std::int64_t stride = hidden + kTail;
        const at::Tensor received = not_yet({ranks, stride});
        received.narrow(1, 0, hidden).normal_();
        const at::Tensor reset = at::randn({ranks, stride}, floats());
        const at::Tensor reset_before = reset.clone();
        const at::Tensor norm_weight = at::rand({hidden}, elements()).add_(0.5);
        const at::Tensor residual = at::full({hidden + kTail}, kNan, floats());

        at::Tensor sum = received[0].narrow(0, 0, hidden);
        for (int rank = 1; rank < ranks; ++rank) sum = sum + received[rank].narrow(0, 0, hidden);
        const at::Tensor x =
            (sum * at::rsqrt(sum.square().mean() + kEps) * norm_weight.to(at::kFloat)).to(GetParam()).unsqueeze(0);

        LinearParams p = params(w.matrix, 1, LinearInput::norm, output);
        p.norm.received.data = received.const_data_ptr<float>();
        p.norm.received.rank_stride = stride;
        p.norm.received.ranks = ranks;
        if (ranks > 1) p.norm.received.reset = reset.mutable_data_ptr<float>();
        p.norm.weight = norm_weight.const_data_ptr();
        p.norm.residual_out = residual.mutable_data_ptr<float>();
        p.norm.eps = static_cast<float>(kEps);
        const at::Tensor y = output == LinearOutput::swiglu
                                 ? at::full({padded_columns(weight_rows / 2)}, kNan, elements())
                                 : at::full({weight_rows + kTail}, kNan, floats());
        p.y = y.mutable_data_ptr();
        launch(p, 1, LinearInput::norm, output);

        const std::string what = name({rows, hidden}, 1, "normed product") + ", " + std::to_string(ranks) + " ranks";
        // An element of x that lies between two values of the type may be rounded the other way.
        const double error = kSumError + 8 * rounding() / std::sqrt(static_cast<double>(hidden));
        if (output == LinearOutput::swiglu) {
          expect_swiglu(y, times(x, w.matrix), 4 * error, what);
        } else {
          expect_values(y, times(x, w.matrix), error, what);
        }
        EXPECT_TRUE(at::equal(residual.narrow(0, 0, hidden), sum)) << what << ": residual";
        EXPECT_TRUE(residual.narrow(0, hidden, kTail).isnan().all().item<bool>())
            << what << ": residual beyond the end";
        if (ranks > 1) {
          EXPECT_TRUE(is_not_yet(reset.narrow(1, 0, hidden))) << what << ": the slot before is not reset";
          EXPECT_TRUE(at::equal(reset.narrow(1, hidden, kTail), reset_before.narrow(1, hidden, kTail))) << what;
        } else {
          EXPECT_TRUE(at::equal(reset, reset_before)) << what << ": reset without being asked";
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(types, linear_test, testing::Values(at::kBFloat16, at::kHalf),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

}  // namespace
}  // namespace specthink
