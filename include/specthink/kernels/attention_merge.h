// Joins attention over parts of the context into attention over all of it; CUDA builds, bfloat16 and float16.
#pragma once

#include <ATen/core/Tensor.h>

namespace specthink {

/// Attention over disjoint sets of positions and the logarithms of their sums of exponentials, as the library's flash
/// attention returns them: output [parts, rows, heads, head_dim], log_sum [parts, heads, rows] float32.
struct AttentionParts {
  at::Tensor output;
  at::Tensor log_sum;
};

/// Σ over the parts of both, weighted by exp(log_sum): [rows, heads, head_dim]. Contiguous tensors. Throws InternalError
/// for other shapes and in CPU builds.
at::Tensor merge_attention(const AttentionParts& a, const AttentionParts& b);

}  // namespace specthink
