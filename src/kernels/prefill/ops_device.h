// The CUDA side of prefill_ops, after its checks; CUDA builds only.
#pragma once

#include "specthink/kernels/prefill_ops.h"

namespace specthink::inline kernels::prefill_ops {

void embed_rows_on_device(const at::Tensor& ids, const at::Tensor& table, std::int64_t first_id, at::Tensor& output);

void embed_new_rows_on_device(const NewRows& rows, const at::Tensor& table, std::int64_t first_id, at::Tensor& output,
                              RowIndices& indices);

/// `residual` is written only where `delta` is defined.
void add_rms_norm_on_device(const at::Tensor& residual, const at::Tensor& delta, const at::Tensor& bias,
                            const at::Tensor& weight, double eps, at::Tensor& output);

void qk_norm_rope_store_on_device(const at::Tensor& qkv, const at::Tensor& qk_norm, double eps, const RopeTables& rope,
                                  const RowIndices& indices, at::Tensor& queries, at::Tensor& keys, at::Tensor& values);

void silu_mul_on_device(const at::Tensor& gate_up, at::Tensor& output);

void dequantize_on_device(const WeightMatrix& weights, at::Tensor& output);

}  // namespace specthink::inline kernels::prefill_ops
