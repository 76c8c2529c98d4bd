// Attention of new tokens over one sequence's cache, in LibTorch operators.
#pragma once

#include <ATen/core/Tensor.h>

namespace specthink::inline model {

/// queries [rows, heads, head_dim] are the last `rows` of the `length` positions whose keys and values
/// [length, kv_heads, head_dim] are given; each sees itself and what came before it. kv_head_of [heads] names the KV
/// head of each query head; `uniform` says that each KV head serves the same number of consecutive query heads. Scores
/// are multiplied by `scale`. With a `window` each row sees so many positions at most, itself included; 0: all. Returns
/// [rows, heads, head_dim].
at::Tensor causal_attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                            const at::Tensor& kv_head_of, bool uniform, double scale, std::int64_t window = 0);

}  // namespace specthink::inline model
