#include "model/attention.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "specthink/kernels/attention_merge.h"

namespace specthink {
namespace {

/// [tokens, heads, head_dim] -> [1, heads, tokens, head_dim], the layout of the library's attention.
at::Tensor by_head(const at::Tensor& tensor) { return tensor.transpose(0, 1).unsqueeze(0); }

/// [rows, length], true where a row may look: rows are the last positions of `length`.
at::Tensor allowed(std::int64_t rows, std::int64_t length, c10::Device device) {
  return at::ones({rows, length}, at::TensorOptions(device).dtype(at::kBool)).tril_(length - rows);
}

/// Flash attention of [parts, rows, heads, head_dim] queries; called below the library's scaled_dot_product operators,
/// whose layout it would only be turned back from. The causal mask is aligned with the last position.
AttentionParts flash(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values, bool causal) {
  auto result = at::_flash_attention_forward(queries, keys, values, {}, {}, queries.size(1), keys.size(1), 0.0, causal,
                                             /*return_debug_mask=*/false);
  return {std::get<0>(result), std::get<1>(result)};
}

/// The library gives a block of 128 rows of a head to one multiprocessor, whatever the context: few rows leave most of
/// the GPU idle. So many parts of the context, side by side, keep it busy.
std::int64_t context_parts(std::int64_t rows, std::int64_t heads, std::int64_t context) {
  constexpr std::int64_t kRowsOfBlock = 128;
  constexpr std::int64_t kWantedBlocks = 128;    // multiprocessors of a large GPU
  constexpr std::int64_t kLeastOfPart = 512;     // positions: below, the merge costs more than it gains
  const std::int64_t blocks = heads * ((rows + kRowsOfBlock - 1) / kRowsOfBlock);
  return std::min((kWantedBlocks + blocks / 2) / blocks, context / kLeastOfPart);
}

at::Tensor flash_attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values) {
  const std::int64_t rows = queries.size(0);
  const std::int64_t context = keys.size(0) - rows;  // positions that every row sees
  const at::Tensor q = queries.unsqueeze(0);
  const std::int64_t parts = rows > 1 ? context_parts(rows, queries.size(1), context) : 0;
  if (parts < 2) return flash(q, keys.unsqueeze(0), values.unsqueeze(0), rows > 1).output.squeeze(0);
  const std::int64_t length = context / parts;
  const auto in_parts = [&](const at::Tensor& cache) {
    return cache.narrow(0, 0, parts * length).unflatten(0, {parts, length});
  };
  const auto rest = [&](const at::Tensor& cache) {
    return cache.narrow(0, parts * length, cache.size(0) - parts * length).unsqueeze(0);
  };
  const AttentionParts before =
      flash(q.expand({parts, -1, -1, -1}), in_parts(keys), in_parts(values), /*causal=*/false);
  return merge_attention(before, flash(q, rest(keys), rest(values), /*causal=*/true));
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
    // The flash kernel takes fewer KV heads than query heads.
    return uniform ? flash_attention(queries, keys, values)
                   : flash_attention(queries, keys.index_select(1, kv_head_of), values.index_select(1, kv_head_of));
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

}  // namespace specthink
