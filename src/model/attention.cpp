#include "model/attention.h"

#include <ATen/ATen.h>

namespace specthink::inline model {
namespace {

/// [tokens, heads, head_dim] -> [1, heads, tokens, head_dim], the layout of the library's attention.
at::Tensor by_head(const at::Tensor& tensor) { return tensor.transpose(0, 1).unsqueeze(0); }

/// [rows, length], true where a row may look: rows are the last positions of `length`.
at::Tensor allowed(std::int64_t rows, std::int64_t length, std::int64_t window, c10::Device device) {
  at::Tensor mask = at::ones({rows, length}, at::TensorOptions(device).dtype(at::kBool)).tril_(length - rows);
  if (window > 0) mask.triu_(length - rows - window + 1);
  return mask;
}

}  // namespace

at::Tensor causal_attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                            const at::Tensor& kv_head_of, bool uniform, double scale, std::int64_t window) {
  const std::int64_t rows = queries.size(0);
  const std::int64_t length = keys.size(0);
  if (window > 0 && length >= rows + window) {  // what the first row does not see no row does
    const std::int64_t seen = rows + window - 1;
    return causal_attention(queries, keys.narrow(0, length - seen, seen), values.narrow(0, length - seen, seen),
                            kv_head_of, uniform, scale, window);
  }
  const bool masked = window > 0 && rows > 1 && length > window;  // more than by position alone
  const std::int64_t heads = queries.size(1);
  const std::int64_t kv_heads = keys.size(1);
  const std::int64_t head_dim = queries.size(2);

  const bool flash =
      !masked && queries.is_cuda() && queries.scalar_type() != at::kFloat && head_dim % 8 == 0 && head_dim <= 256;
  if (flash) {
    // The flash kernel takes fewer KV heads than query heads and aligns the causal mask with the last position.
    const at::Tensor k = uniform ? keys : keys.index_select(1, kv_head_of);
    const at::Tensor v = uniform ? values : values.index_select(1, kv_head_of);
    // It is called below the library's scaled_dot_product operators, whose layout it would only be turned back from.
    const auto result = at::_flash_attention_forward(queries.unsqueeze(0), k.unsqueeze(0), v.unsqueeze(0), {}, {}, rows,
                                                     keys.size(0), 0.0, rows > 1, /*return_debug_mask=*/false, scale);
    return std::get<0>(result).squeeze(0);
  }
  if (rows == 1 && uniform) {
    // One row sees everything: the query heads of a KV head become rows of it, and no key is copied.
    const at::Tensor grouped = queries.view({1, kv_heads, heads / kv_heads, head_dim});
    return at::scaled_dot_product_attention(grouped, by_head(keys), by_head(values), {}, 0, false, scale)
        .reshape({1, heads, head_dim});
  }
  const at::Tensor k = keys.index_select(1, kv_head_of);
  const at::Tensor v = values.index_select(1, kv_head_of);
  const at::Tensor mask = allowed(rows, length, masked ? window : 0, queries.device());
  return at::scaled_dot_product_attention(by_head(queries), by_head(k), by_head(v), mask, 0, false, scale)
      .squeeze(0)
      .transpose(0, 1);
}

}  // namespace specthink::inline model
