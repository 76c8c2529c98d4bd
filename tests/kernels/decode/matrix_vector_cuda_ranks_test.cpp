// The portable linear layer of one row against float32 products of LibTorch.
#include <gtest/gtest.h>

#include "kernels/decode/linear_test.h"
#include "kernels/decode/portable/matrix_vector.h"
#include "kernels/device/hopper.h"

namespace specthink {
namespace {

using namespace testing_support;

// One row and many, batches and rounds of rows that are not full, fewer columns than a thread's 8 x 256, several
// pieces.
constexpr LinearSize kVectorSizes[] = {{1, 8},       {1, 5120},     {7, 24},      {7, 12800},   {77, 520},    {77, 2048},
                                 {265, 2056},  {1001, 8},     {1001, 4864}, {5120, 24},   {5120, 5120}, {6145, 520},
                                 {6145, 4864}, {5121, 12800}, {20001, 520}, {40001, 2056}};

class matrix_vector_test : public LinearTest {
 protected:
  MatrixVectorParams params(const at::Tensor& matrix, LinearOutput output) {
    MatrixVectorParams p;
    p.weights = matrix.const_data_ptr();
    p.rows = output == LinearOutput::swiglu ? matrix.size(0) / 2 : matrix.size(0);
    p.columns = matrix.size(1);
    p.limit = limit();
    return p;
  }
  void launch(const MatrixVectorParams& p, LinearOutput output) {
    launch_matrix_vector(p, type(), output, ++launches_ % 2 == 0 && has_hopper_code(device().index()), stream());
  }

  /// `y`: of the type, NaN before.
  void expect_swiglu(const at::Tensor& y, const at::Tensor& gate_up, double error, const std::string& what) {
    const at::Tensor expected = gated(gate_up)[0];
    expect_near(y.narrow(0, 0, expected.numel()), expected, error, error + rounding(), what);
    EXPECT_TRUE(y.narrow(0, expected.numel(), kTail).isnan().all().item<bool>()) << what << ": written beyond the end";
  }

 private:
  int launches_ = 0;
};

TEST_P(matrix_vector_test, values_and_swiglu) {
  for (const LinearSize& size : kVectorSizes) {
    const std::int64_t pairs = (size.rows + 1) / 2;
    const Weights w = weights(2 * pairs, size.columns);
    const at::Tensor x = at::randn({1, size.columns}, elements());
    const at::Tensor expected = times(x, w.matrix);
    MatrixVectorParams p = params(w.matrix.narrow(0, 0, size.rows), LinearOutput::values);
    p.x = x.const_data_ptr();
    const at::Tensor values = at::full({size.rows + kTail}, kNan, floats());
    p.y = values.mutable_data_ptr();
    launch(p, LinearOutput::values);
    expect_values(values, expected.narrow(1, 0, size.rows), kSumError, name_of(size, 1, "values"));

    p = params(w.matrix, LinearOutput::swiglu);
    p.x = x.const_data_ptr();
    const at::Tensor activated = at::full({pairs + kTail}, kNan, elements());
    p.y = activated.mutable_data_ptr();
    launch(p, LinearOutput::swiglu);
    expect_swiglu(activated, expected, kSumError, name_of({pairs, size.columns}, 1, "swiglu"));
  }
}

TEST_P(matrix_vector_test, partial_sums) {
  int turn = 0;
  for (const LinearSize& size : kVectorSizes) {
    const Weights w = weights(size.rows, size.columns);
    const at::Tensor x = at::randn({1, size.columns}, elements());
    const at::Tensor residual = at::randn({size.rows}, floats());
    const at::Tensor bias = at::randn({size.rows}, elements());
    const int ranks = 1 + turn % 2;
    const int extras = turn++ % 3;  // neither, the residual, the bias too
    MatrixVectorParams p = params(w.matrix, LinearOutput::partials);
    p.x = x.const_data_ptr();
    const at::Tensor received = not_yet({2, size.rows + kTail});
    for (int rank = 0; rank < ranks; ++rank) p.partials.sent.to[rank] = received[rank].mutable_data_ptr<float>();
    p.partials.sent.ranks = ranks;
    at::Tensor whole = times(x, w.matrix)[0];
    if (extras > 0) {
      p.partials.residual = residual.const_data_ptr<float>();
      whole = whole + residual;
    }
    if (extras > 1) {
      p.partials.bias = bias.const_data_ptr();
      whole = whole + bias.to(at::kFloat);
    }
    launch(p, LinearOutput::partials);
    const std::string what = name_of(size, 1, "partial sums");
    for (int rank = 0; rank < ranks; ++rank) {
      expect_near(received[rank].narrow(0, 0, size.rows), whole, kSumError, kSumError, what);
      EXPECT_TRUE(is_not_yet(received[rank].narrow(0, size.rows, kTail))) << what << ": written beyond the end";
    }
    const bool one_only = ranks > 1 || is_not_yet(received[1]);
    EXPECT_TRUE(one_only) << what << ": sent to a rank that is not there";
  }
}

TEST_P(matrix_vector_test, norm_of_received_partial_sums) {
  for (const std::int64_t hidden : {8, 24, 520, 2048, 2056, 4096, 4864, 5120, 8192}) {
    for (const std::int64_t rows : {1, 77, 6144, 13001}) {
      for (const int ranks : {1, 2, 3}) {
        const bool is_gated = (rows + ranks) % 2 == 0;
        const LinearOutput output = is_gated ? LinearOutput::swiglu : LinearOutput::values;
        const std::int64_t outputs = is_gated ? (rows + 1) / 2 : rows;
        const Weights w = weights(is_gated ? 2 * outputs : outputs, hidden);
        const NormCase norm(*this, hidden, ranks);
        MatrixVectorParams p = params(w.matrix, output);
        p.norm = norm.input();
        const at::Tensor y = at::full({outputs + kTail}, kNan, is_gated ? elements() : floats());
        p.y = y.mutable_data_ptr();
        launch(p, output);
        const std::string what =
            name_of({outputs, hidden}, 1, "normed product") + ", " + std::to_string(ranks) + " ranks";
        if (is_gated) {
          expect_swiglu(y, times(norm.x, w.matrix), 4 * normed_error(hidden), what);
        } else {
          expect_values(y, times(norm.x, w.matrix), normed_error(hidden), what);
        }
        norm.expect_written(what);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(types, matrix_vector_test, testing::Values(at::kBFloat16, at::kHalf),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

}  // namespace
}  // namespace specthink
