// The library's attention, over the whole context and over parts of it, against float32 arithmetic.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "model/attention.h"
#include "ranks.h"

namespace specthink {
namespace {

using testing_support::device;

at::Tensor in_float32(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                      const at::Tensor& kv_head_of) {
  const std::int64_t rows = queries.size(0);
  const at::Tensor q = queries.to(at::kFloat).transpose(0, 1);                           // [heads, rows, dim]
  const at::Tensor k = keys.to(at::kFloat).index_select(1, kv_head_of).transpose(0, 1);  // [heads, length, dim]
  const at::Tensor v = values.to(at::kFloat).index_select(1, kv_head_of).transpose(0, 1);
  at::Tensor scores = q.matmul(k.transpose(1, 2)) / std::sqrt(static_cast<double>(q.size(2)));
  const at::Tensor hidden =
      at::ones({rows, keys.size(0)}, scores.options().dtype(at::kBool)).triu(keys.size(0) - rows + 1);
  scores.masked_fill_(hidden, -INFINITY);
  return scores.softmax(-1).matmul(v).transpose(0, 1);  // [rows, heads, dim]
}

TEST(causal_attention, of_few_rows_over_a_long_context_agrees_with_float32) {
  at::manual_seed(3);
  const auto type = device().is_cuda() ? at::kBFloat16 : at::kFloat;
  const at::TensorOptions options = at::TensorOptions(device()).dtype(type);
  for (const std::int64_t rows : {1, 2, 20, 120, 129, 300}) {
    for (const std::int64_t context : {0, 100, 1023, 1024, 3001}) {
      const std::int64_t heads = 6;
      const at::Tensor kv_head_of = at::arange(heads, at::kLong).floor_divide(3).to(device());
      const at::Tensor queries = at::randn({rows, heads, 64}, options);
      const at::Tensor keys = at::randn({context + rows, 2, 64}, options);
      const at::Tensor values = at::randn({context + rows, 2, 64}, options);
      const at::Tensor expected = in_float32(queries, keys, values, kv_head_of);
      const at::Tensor result =
          causal_attention(queries, keys, values, kv_head_of, /*uniform=*/true, /*scale=*/0.125).to(at::kFloat);
      const at::Tensor error = (result - expected).norm(2, -1) / expected.norm(2, -1);
      EXPECT_LT(error.max().item<double>(), device().is_cuda() ? 0.03 : 1e-4) << rows << " rows after " << context;
    }
  }
}

}  // namespace
}  // namespace specthink
