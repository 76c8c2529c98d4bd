// The matrix products of a decode step against float32 products of LibTorch.
#include <gtest/gtest.h>

#include <iterator>

#include "kernels/decode/linear/layout.h"
#include "kernels/decode/linear/linear.h"
#include "kernels/decode/linear_test.h"
#include "kernels/device/tensor_map.h"
#include "specthink/kernels/limits.h"

namespace specthink {
namespace {

using namespace testing_support;

// One row and many, groups that are not full, fewer columns than a warp's 32 or a chunk's 512, several groups a block.
constexpr LinearSize kSizes[] = {{1, 8},       {1, 5120},     {7, 24},      {7, 12800},   {77, 520},    {77, 1000},
                                 {1001, 8},    {1001, 1000},  {1001, 4864}, {5120, 24},   {5120, 5120}, {6145, 520},
                                 {6145, 4864}, {5120, 12800}, {20001, 520}, {13001, 2056}};

class linear_test : public LinearTest {
 protected:
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

  /// `y`: activation layout, NaN before.
  void expect_swiglu(const at::Tensor& y, const at::Tensor& gate_up, double error, const std::string& what) {
    const std::int64_t rows = gate_up.size(1) / 2;
    const at::Tensor found = from_activations(y, gate_up.size(0));
    expect_near(found.narrow(1, 0, rows), gated(gate_up), error, error + rounding(), what);
    EXPECT_TRUE(found.narrow(1, rows, found.size(1) - rows).isnan().all().item<bool>()) << what << ": written beyond";
  }

  int launches_ = 0;
};

TEST_P(linear_test, values_and_partial_sums) {
  for (const LinearSize& size : kSizes) {
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
      expect_values(y, sums, kSumError, name_of(size, x_rows, "values"));

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
      const std::string what = name_of(size, x_rows, "partial sums");
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
  for (const LinearSize& size : kSizes) {
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
      expect_swiglu(y, gate_up.narrow(0, 0, x_rows), kSumError, name_of({rows, size.columns}, x_rows, "swiglu"));
    }
  }
}

/// A rank's sums, the norm and its linear layers in one kernel.
TEST_P(linear_test, norm_of_received_partial_sums) {
  for (const std::int64_t hidden : {8, 24, 520, 1000, 2048, 2056, 4096, 4864, 5120, 8192}) {
    for (const std::int64_t rows : {1, 77, 6144, 13001}) {
      for (const int ranks : {1, 2, 3}) {
        const LinearOutput output = (rows + ranks) % 2 == 0 ? LinearOutput::swiglu : LinearOutput::values;
        const std::int64_t weight_rows = output == LinearOutput::swiglu ? (rows + 1) / 2 * 2 : rows;
        const Weights w = weights(weight_rows, hidden);
        const NormCase norm(*this, hidden, ranks);
        LinearParams p = params(w.matrix, 1, LinearInput::norm, output);
        p.norm = norm.input();
        const at::Tensor y = output == LinearOutput::swiglu
                                 ? at::full({padded_columns(weight_rows / 2)}, kNan, elements())
                                 : at::full({weight_rows + kTail}, kNan, floats());
        p.y = y.mutable_data_ptr();
        launch(p, 1, LinearInput::norm, output);

        const std::string what = name_of({rows, hidden}, 1, "normed product") + ", " + std::to_string(ranks) + " ranks";
        const double error = normed_error(hidden);
        if (output == LinearOutput::swiglu) {
          expect_swiglu(y, times(norm.x, w.matrix), 4 * error, what);
        } else {
          expect_values(y, times(norm.x, w.matrix), error, what);
        }
        norm.expect_written(what);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(types, linear_test, testing::Values(at::kBFloat16, at::kHalf),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

}  // namespace
}  // namespace specthink
