#include <ATen/ATen.h>

#include <initializer_list>

#include "kernels/prefill/ops_device.h"
#include "specthink/base/error.h"
#include "specthink/kernels/limits.h"
#include "specthink/kernels/prefill_ops.h"

namespace specthink::inline kernels::prefill_ops {
namespace {

/// Thread numbers of qk_norm_rope_store are ints, with room for the unused threads of the last block.
constexpr std::int64_t kMaxElements = (std::int64_t{1} << 31) - 1024;

/// Contiguous, on one device, of the type that the kernel is made for.
void check_operands(std::initializer_list<const at::Tensor*> operands) {
  const at::Tensor& first = **operands.begin();
  check(available(first.device(), first.scalar_type()), "no fused kernels for this device or type");
  for (const at::Tensor* operand : operands) {
    check(operand->is_contiguous() && operand->device() == first.device() &&
              operand->scalar_type() == first.scalar_type(),
          "a fused kernel's operands are contiguous, of one type, on one device");
  }
}

void check_indices(const at::Tensor& indices, std::int64_t rows, c10::Device device) {
  check(indices.dim() == 1 && indices.size(0) == rows && indices.is_contiguous() &&
            indices.scalar_type() == at::kLong && indices.device() == device,
        "a fused kernel's indices are [rows] int64 on its device");
}

bool is_matrix(const at::Tensor& tensor, std::int64_t rows, std::int64_t columns) {
  return tensor.dim() == 2 && tensor.size(0) == rows && tensor.size(1) == columns;
}

bool is_vector(const at::Tensor& tensor, std::int64_t size) { return tensor.dim() == 1 && tensor.size(0) == size; }

}  // namespace

bool available(c10::Device device, at::ScalarType type) {
  return device.is_cuda() && (type == at::kBFloat16 || type == at::kHalf);
}

void embed_rows(const at::Tensor& ids, const at::Tensor& table, std::int64_t first_id, at::Tensor& output) {
  check_operands({&table, &output});
  check(table.dim() == 2 && output.dim() == 2 && output.size(1) == table.size(1), "embed_rows: shapes");
  check_indices(ids, output.size(0), table.device());
  if (output.numel() > 0) embed_rows_on_device(ids, table, first_id, output);
}

void embed_new_rows(const NewRows& rows, const at::Tensor& table, std::int64_t first_id, at::Tensor& output,
                    RowIndices& indices) {
  check_operands({&table, &output});
  const auto count = static_cast<std::int64_t>(rows.ids.size());
  check(rows.ids.size() <= kMaxNewRows && table.dim() == 2 && is_matrix(output, count, table.size(1)),
        "embed_new_rows: shapes");
  check(static_cast<std::int64_t>(rows.pages.size()) ==
            (rows.first_position % kPageTokens + count + kPageTokens - 1) / kPageTokens,
        "embed_new_rows: the pages of the rows");
  check_indices(indices.position, count, table.device());
  check_indices(indices.cache_row, count, table.device());
  if (output.numel() > 0) embed_new_rows_on_device(rows, table, first_id, output, indices);
}

void rms_norm(const at::Tensor& input, const at::Tensor& weight, double eps, at::Tensor& output) {
  check_operands({&input, &weight, &output});
  check(input.dim() == 2 && is_vector(weight, input.size(1)) && is_matrix(output, input.size(0), input.size(1)),
        "rms_norm: shapes");
  if (output.numel() > 0) add_rms_norm_on_device(input, {}, {}, weight, eps, output);
}

void add_rms_norm(at::Tensor& residual, const at::Tensor& delta, const at::Tensor& bias, const at::Tensor& weight,
                  double eps, at::Tensor& output) {
  check_operands({&residual, &delta, &weight, &output, bias.defined() ? &bias : &weight});
  const std::int64_t rows = delta.size(0);
  const std::int64_t hidden = weight.size(0);
  check(is_matrix(residual, rows, hidden) && is_matrix(delta, rows, hidden) && is_matrix(output, rows, hidden) &&
            is_vector(weight, hidden) && (!bias.defined() || is_vector(bias, hidden)),
        "add_rms_norm: shapes");
  if (output.numel() > 0) add_rms_norm_on_device(residual, delta, bias, weight, eps, output);
}

void qk_norm_rope_store(const at::Tensor& qkv, const at::Tensor& qk_norm, double eps, const RopeTables& rope,
                        const RowIndices& indices, at::Tensor& queries, at::Tensor& keys, at::Tensor& values) {
  check_operands({&qkv, &rope.cos, &rope.sin, &queries, &keys, &values, qk_norm.defined() ? &qk_norm : &qkv});
  check(qkv.dim() == 2 && queries.dim() == 3 && keys.dim() == 3 && keys.sizes() == values.sizes(),
        "qk_norm_rope_store: dimensions");
  const std::int64_t rows = qkv.size(0);
  const std::int64_t heads = queries.size(1);
  const std::int64_t kv_heads = keys.size(1);
  const std::int64_t head_dim = queries.size(2);
  check(head_dim % 2 == 0 && is_matrix(qkv, rows, (heads + 2 * kv_heads) * head_dim) && queries.size(0) == rows &&
            keys.size(2) == head_dim && is_matrix(rope.cos, rope.cos.size(0), head_dim) &&
            rope.sin.sizes() == rope.cos.sizes() &&
            (!qk_norm.defined() || is_matrix(qk_norm, heads + kv_heads, head_dim)),
        "qk_norm_rope_store: shapes");
  check(qkv.numel() < kMaxElements, "qk_norm_rope_store: more rows than 32-bit indices reach");
  check_indices(indices.position, rows, qkv.device());
  check_indices(indices.cache_row, rows, qkv.device());
  if (qkv.numel() > 0) qk_norm_rope_store_on_device(qkv, qk_norm, eps, rope, indices, queries, keys, values);
}

void silu_mul(const at::Tensor& gate_up, at::Tensor& output) {
  check_operands({&gate_up, &output});
  check(output.dim() == 2 && is_matrix(gate_up, output.size(0), 2 * output.size(1)), "silu_mul: shapes");
  if (output.numel() > 0) silu_mul_on_device(gate_up, output);
}

void dequantize(const WeightMatrix& weights, at::Tensor& output) {
  constexpr std::int64_t kVector = 16;  // weights
  check_operands({&output});
  check(weights.type == WeightType::float8 && weights.data.is_contiguous() && weights.scales.is_contiguous() &&
            weights.data.device() == output.device() && weights.data.sizes() == output.sizes() &&
            output.size(1) % kVector == 0 && weights.scale_columns % kVector == 0,
        "dequantize: shapes");
  if (output.numel() > 0) dequantize_on_device(weights, output);
}

}  // namespace specthink::inline kernels::prefill_ops
