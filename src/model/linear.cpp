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

}  // namespace

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
