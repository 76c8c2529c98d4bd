#include "model/attention.h"

#include <ATen/ATen.h>

namespace specthink::inline model {
namespace {

/// [tokens, heads, head_dim] -> [1, heads, tokens, head_dim], the layout of the library's attention.
at::Tensor by_head(const at::Tensor& tensor) { return tensor.transpose(0, 1).unsqueeze(0); }

/// [rows, length], true where a row may look: rows are the last positions of `length`.
at::Tensor allowed(std::int64_t rows, std::int64_t length, c10::Device device) {
  return at::ones({rows, length}, at::TensorOptions(device).dtype(at::kBool)).tril_(length - rows);
}

}  // namespace

at::Tensor causal_attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                            const at::Tensor& kv_head_of, bool uniform) {
  const std::int64_t rows = queries.size(0);
  const std::int64_t heads = queries.size(1);
  const std::int64_t kv_heads = keys.size(1);
  const std::int64_t head_dim = queries.size(2);

  const bool flash = queries.is_cuda() && queries.scalar_type() != at::kFloat && head_dim % 8 == 0 && head_dim <= 256;
  if (flash) {
    // The flash kernel takes fewer KV heads than query heads and aligns the causal mask with the last position.
    const at::Tensor k = uniform ? keys : keys.index_select(1, kv_head_of);
    const at::Tensor v = uniform ? values : values.index_select(1, kv_head_of);
    // It is called below the library's scaled_dot_product operators, whose layout it would only be turned back from.
    const auto result = at::_flash_attention_forward(queries.unsqueeze(0), k.unsqueeze(0), v.unsqueeze(0), {}, {}, rows,
                                                     keys.size(0), 0.0, rows > 1, /*return_debug_mask=*/false);
    return std::get<0>(result).squeeze(0);
  }
  if (rows == 1 && uniform) {
    // One row sees everything: the query heads of a KV head become rows of it, and no key is copied.
    const at::Tensor grouped = queries.view({1, kv_heads, heads / kv_heads, head_dim});
    return at::scaled_dot_product_attention(grouped, by_head(keys), by_head(values)).reshape({1, heads, head_dim});
  }
  const at::Tensor k = keys.index_select(1, kv_head_of);
  const at::Tensor v = values.index_select(1, kv_head_of);
  const at::Tensor mask = allowed(rows, keys.size(0), queries.device());
  return at::scaled_dot_product_attention(by_head(queries), by_head(k), by_head(v), mask).squeeze(0).transpose(0, 1);
}

}  // namespace specthink::inline model
