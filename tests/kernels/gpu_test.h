// What the tests of the decode kernels share; CUDA builds only.
#pragma once

#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "kernels/decode/linear/linear.h"
#include "kernels/decode/slot_state.h"
#include "kernels/device/cuda_handles.h"
#include "kernels/exchange/exchange.h"
#include "ranks.h"
#include "specthink/kernels/loaded_shard.h"

namespace specthink::testing_support {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr std::int64_t kTail = 64;  // floats behind an output that must stay as they are

/// Skips without a GPU. Kernels and LibTorch's operators use one stream, so that nothing has to be waited for between
/// them.
class GpuTest : public testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override {
    if (!device().is_cuda()) GTEST_SKIP() << "the decode kernels run on GPUs only (SPECTHINK_TEST_DEVICE=cuda)";
    if (world().size() > 1) GTEST_SKIP() << "kernels of one GPU, tested with one rank";
    guard_.emplace(c10::cuda::getStreamFromPool(false, device().index()));
    abort_.emplace(1);
    failed_ = at::zeros({1}, options(at::kInt));
    at::manual_seed(17);
  }
  void TearDown() override {
    if (!failed_.defined()) return;
    EXPECT_EQ(failed_.item<int>(), 0) << "a kernel waited for what nobody sends";
  }

  ElementType type() const { return GetParam() == at::kBFloat16 ? ElementType::bfloat16 : ElementType::float16; }
  /// The error of rounding to the type: half a unit in the last place of 1.
  double rounding() const { return GetParam() == at::kBFloat16 ? 1.0 / 256 : 1.0 / 2048; }
  at::TensorOptions options(at::ScalarType type) const { return at::TensorOptions(device()).dtype(type); }
  at::TensorOptions elements() const { return options(GetParam()); }
  at::TensorOptions floats() const { return options(at::kFloat); }
  cudaStream_t stream() const { return c10::cuda::getCurrentCUDAStream(device().index()); }
  SpinLimit limit() const {
    return {static_cast<std::uint32_t*>(failed_.mutable_data_ptr()), abort_->data(), 2'000'000'000};
  }
  struct Float8Weights {
    WeightMatrix matrix;
    at::Tensor values;  // [rows, columns] float32
  };
  /// Any e4m3 but NaN, subnormal ones too, with factors that make sums of the size of 1.
  Float8Weights float8_weights(std::int64_t rows, std::int64_t columns, std::int64_t scale_rows,
                               std::int64_t scale_columns) const {
    const auto blocks = [](std::int64_t count, std::int64_t block) { return (count + block - 1) / block; };
    at::Tensor bytes = at::randint(0, 256, {rows, columns}, options(at::kByte));
    bytes = at::where((bytes & 127) == 127, at::zeros_like(bytes), bytes);
    const at::Tensor factors = at::rand({blocks(rows, scale_rows), blocks(columns, scale_columns)}, floats())
                                   .add_(0.1)
                                   .mul_(0.01 / std::sqrt(static_cast<double>(columns)));
    const WeightMatrix matrix{bytes.view(at::kFloat8_e4m3fn), WeightType::float8, factors, scale_rows, scale_columns};
    const at::Tensor values = matrix.data.to(at::kFloat) * factors.repeat_interleave(scale_rows, 0)
                                                               .narrow(0, 0, rows)
                                                               .repeat_interleave(scale_columns, 1)
                                                               .narrow(1, 0, columns);
    return {matrix, values};
  }
  int multiprocessors() const {
    int count = 0;
    check_cuda(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device().index()),
               "cudaDeviceGetAttribute");
    return count;
  }

 private:
  std::optional<c10::cuda::CUDAStreamGuard> guard_;
  std::optional<MappedArray<std::uint32_t>> abort_;
  at::Tensor failed_;  // [1] int32
};

/// [rows, k] in the layout of activations between kernels, zeros up to a whole chunk.
inline at::Tensor to_activations(const at::Tensor& x) {
  at::Tensor padded = at::zeros({x.size(0), padded_columns(x.size(1))}, x.options());
  padded.narrow(1, 0, x.size(1)).copy_(x);
  return padded.view({x.size(0), -1, 32}).permute({1, 0, 2}).contiguous().view({-1});
}

/// The way back: [rows, padded columns].
inline at::Tensor from_activations(const at::Tensor& flat, std::int64_t rows) {
  return flat.view({-1, rows, 32}).permute({1, 0, 2}).reshape({rows, -1});
}

/// A float32 buffer in which nothing has arrived yet (exchange.h).
inline at::Tensor not_yet(at::IntArrayRef shape) {
  return at::full(shape, -1, at::TensorOptions(device()).dtype(at::kInt)).view(at::kFloat);
}
inline bool is_not_yet(const at::Tensor& floats) {
  return (floats.contiguous().view(at::kInt) == -1).all().item<bool>();
}

/// |actual - expected| <= absolute + relative · |expected| for every element; a NaN is never near.
inline void expect_near(const at::Tensor& actual, const at::Tensor& expected, double absolute, double relative,
                        const std::string& what) {
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  const at::Tensor a = actual.to(at::kFloat).reshape({-1});
  const at::Tensor b = expected.to(at::kFloat).reshape({-1});
  const at::Tensor wrong = at::logical_not((a - b).abs() <= absolute + relative * b.abs());
  const auto count = wrong.sum().item<std::int64_t>();
  if (count == 0) return;
  const auto first = wrong.nonzero()[0].item<std::int64_t>();
  ADD_FAILURE() << what << ": " << count << " of " << a.numel() << " elements are wrong, the first is " << first << ": "
                << a[first].item<float>() << " instead of " << b[first].item<float>();
}

template <typename Plain>
at::Tensor device_copy(const Plain& value) {
  return at::from_blob(const_cast<Plain*>(&value), {static_cast<std::int64_t>(sizeof(value))}, at::kByte).to(device());
}

/// The rows of a sequence in a step, for layout_of().
struct RowsOf {
  int slot = 0;
  std::int64_t position = 0;
  int rows = 1;
  int proposals = 0;
  std::vector<std::int32_t> tokens;  // of the rows; empty: zeros
};

/// As the device has it: with positions and tokens.
inline StepLayout layout_of(const std::vector<RowsOf>& sequences) {
  StepLayout layout{};
  for (StepRow& row : layout.rows) row = {-1, -1, -1, -1};
  int next = 0;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const RowsOf& which = sequences[i];
    layout.entries[i] = {static_cast<std::int32_t>(which.position), which.rows, next, which.slot};
    layout.proposals[i] = which.proposals;
    for (int row = 0; row < which.rows; ++row) {
      layout.rows[next++] = {which.slot, static_cast<std::int32_t>(i),
                             std::max(row - (which.rows - 1 - which.proposals), -1),
                             which.tokens.empty() ? 0 : which.tokens[static_cast<std::size_t>(row)]};
    }
  }
  return layout;
}

}  // namespace specthink::testing_support
