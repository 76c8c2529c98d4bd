#include "specthink/kernels/attention_merge.h"

#include <ATen/ATen.h>

#include "specthink/base/error.h"
#ifdef SPECTHINK_WITH_CUDA
#include "kernels/attention_merge_device.h"
#endif

namespace specthink {
namespace {

bool fits(const AttentionParts& parts, at::IntArrayRef shape) {
  return parts.output.dim() == 4 && parts.output.sizes().slice(1) == shape && parts.output.is_contiguous() &&
         parts.log_sum.sizes() == at::IntArrayRef({parts.output.size(0), shape[1], shape[0]}) &&
         parts.log_sum.is_contiguous() && parts.log_sum.scalar_type() == at::kFloat;
}

}  // namespace

at::Tensor merge_attention(const AttentionParts& a, const AttentionParts& b) {
  check(a.output.dim() == 4, "merge_attention: dimensions");
  const at::IntArrayRef shape = a.output.sizes().slice(1);  // [rows, heads, head_dim]
  check(fits(a, shape) && fits(b, shape), "merge_attention: shapes");
#ifdef SPECTHINK_WITH_CUDA
  at::Tensor output = at::empty(shape, a.output.options());
  merge_attention_on_device(a, b, output);
  return output;
#else
  throw InternalError("merge_attention in a CPU build");
#endif
}

}  // namespace specthink
