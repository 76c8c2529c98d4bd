#include "model/linear.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace specthink::inline model {
namespace {

constexpr std::int64_t kBlockBytes = 1 << 20;  // of converted weights: they stay in a core's cache until they are used

bool has_short_arithmetic() {
#ifdef __x86_64__
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return true;
#endif
}

bool converts(const at::Tensor& x, const at::Tensor& weight) {
  static const bool is_needed = !has_short_arithmetic();
  return is_needed && x.is_cpu() && x.size(0) > 1 && weight.element_size() == 2 && weight.size(1) > 0;
}

constexpr std::int64_t kDequantizedBytes = 64 << 20;  // of a block of rows on a GPU

}  // namespace

at::Tensor dequantize(const WeightMatrix& weights, std::int64_t first, std::int64_t count, at::ScalarType type) {
  const at::Tensor& data = weights.data;
  const std::int64_t rows = weights.scale_rows;
  const std::int64_t first_block = first / rows;
  const std::int64_t blocks = (first + count - 1) / rows - first_block + 1;
  const at::Tensor factors = weights.scales.narrow(0, first_block, blocks)
                                 .repeat_interleave(rows, 0)
                                 .narrow(0, first - first_block * rows, count)
                                 .repeat_interleave(weights.scale_columns, 1)
                                 .narrow(1, 0, data.size(1));
  return (data.narrow(0, first, count).to(at::kFloat) * factors).to(type);
}

at::Tensor linear(const at::Tensor& x, const WeightMatrix& weights, const at::Tensor& bias) {
  if (weights.type != WeightType::float8) return linear(x, weights.data, bias);
  const std::int64_t outputs = weights.data.size(0);
  const at::ScalarType type = x.is_cpu() ? at::kFloat : x.scalar_type();
  const at::Tensor input = x.to(type);
  const auto row_bytes = static_cast<std::int64_t>(sizeof(float)) * weights.data.size(1);
  const std::int64_t block = std::max<std::int64_t>((x.is_cpu() ? kBlockBytes : kDequantizedBytes) / row_bytes, 16);
  at::Tensor result = at::empty({x.size(0), outputs}, input.options());
  for (std::int64_t first = 0; first < outputs; first += block) {
    const std::int64_t count = std::min(block, outputs - first);
    result.narrow(1, first, count).copy_(at::mm(input, dequantize(weights, first, count, type).t()));
  }
  if (bias.defined()) result.add_(bias);
  return result.to(x.scalar_type());
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (!converts(x, weight)) return at::linear(x, weight, bias);
  const auto row_bytes = static_cast<std::int64_t>(sizeof(float)) * weight.size(1);
  return linear_by_blocks(x, weight, bias, std::max<std::int64_t>(kBlockBytes / row_bytes, 16));
}

at::Tensor linear_by_blocks(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            std::int64_t block_rows) {
  const std::int64_t columns = weight.size(0);
  const at::Tensor wide = x.to(at::kFloat);
  at::Tensor result = at::empty({x.size(0), columns}, wide.options());
  at::Tensor block = at::empty({std::min(block_rows, columns), weight.size(1)}, wide.options());
  for (std::int64_t first = 0; first < columns; first += block_rows) {
    const std::int64_t count = std::min(block_rows, columns - first);
    at::Tensor part = block.narrow(0, 0, count).copy_(weight.narrow(0, first, count));
    at::Tensor into = result.narrow(1, first, count);
    at::mm_out(into, wide, part.t());
  }
  if (bias.defined()) result.add_(bias);
  return result.to(x.scalar_type());
}

}  // namespace specthink::inline model
