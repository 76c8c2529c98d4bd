// What lies between the library's matrix products, attention and all-reduces in a forward pass on GPUs, each as one
// launch: the host cannot issue the same work as LibTorch operators as fast as a GPU runs them.
//
// All values are rounded to the compute type where the LibTorch operators of the reference path round them, and
// computed in float32 in between: both paths differ only in the order of the norms' sums.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "specthink/base/types.h"
#include "specthink/kernels/loaded_shard.h"

namespace specthink::inline kernels::prefill_ops {

/// True where the functions below work: CUDA devices of a CUDA build, bfloat16 and float16. Any size of hidden state,
/// head and feed-forward works; multiples of 8 elements (16 for head_dim) are read and written in 16-byte accesses.
///
/// The functions take contiguous tensors of one type on one device, queue their kernel on the current stream and never
/// wait for it. They throw InternalError for shapes that do not fit or where available() is false, EnvironmentError
/// when a launch fails.
bool available(c10::Device device, at::ScalarType type);

/// output[i] = table[ids[i] - first_id]; zeros for ids that the table does not have (those of other ranks).
/// ids [rows] int64, table [n, hidden], output [rows, hidden].
void embed_rows(const at::Tensor& ids, const at::Tensor& table, std::int64_t first_id, at::Tensor& output);

/// Where each row belongs, [rows] int64, on the device; both within the tables' and the cache's rows.
struct RowIndices {
  at::Tensor position;   ///< row of the rope tables
  at::Tensor cache_row;  ///< row of the cache
};

/// Consecutive rows of a sequence, on the host.
struct NewRows {
  std::span<const TokenId> ids;
  std::int64_t first_position = 0;
  std::span<const std::int32_t> pages;  ///< of the rows: the first is that of first_position
};

constexpr std::size_t kMaxNewRows = 256;  ///< of embed_new_rows

/// As embed_rows, and fills `indices` (of as many rows, on the device). The rows travel with the launch, which takes
/// the host less time than a copy.
void embed_new_rows(const NewRows& rows, const at::Tensor& table, std::int64_t first_id, at::Tensor& output,
                    RowIndices& indices);

/// output = x / sqrt(mean(x²) + eps) · weight over the last dimension. input and output [rows, hidden], weight
/// [hidden].
void rms_norm(const at::Tensor& input, const at::Tensor& weight, double eps, at::Tensor& output);

/// residual += delta (+ bias, added to delta first; may be undefined), then output = rms_norm(residual).
/// residual, delta and output [rows, hidden]; bias and weight [hidden].
void add_rms_norm(at::Tensor& residual, const at::Tensor& delta, const at::Tensor& bias, const at::Tensor& weight,
                  double eps, at::Tensor& output);

/// Query and key heads are normed (where qk_norm, [heads + kv_heads, head_dim], is defined), then rotated; value heads
/// stay as they are. Queries go to `queries`, keys and values to their rows of the cache.
/// qkv [rows, (heads + 2·kv_heads)·head_dim], queries [rows, heads, head_dim], keys and values
/// [cache rows, kv_heads, head_dim]. head_dim is even.
void qk_norm_rope_store(const at::Tensor& qkv, const at::Tensor& qk_norm, double eps, const RopeTables& rope,
                        const RowIndices& indices, at::Tensor& queries, at::Tensor& keys, at::Tensor& values);

/// output = silu(gate)·up; gate_up [rows, 2·n] holds gate, then up; output [rows, n].
void silu_mul(const at::Tensor& gate_up, at::Tensor& output);

/// output [rows, columns] = the weights of a float8 matrix, rounded to its type. Columns, and those of a block, are
/// multiples of 16.
void dequantize(const WeightMatrix& weights, at::Tensor& output);

}  // namespace specthink::inline kernels::prefill_ops
