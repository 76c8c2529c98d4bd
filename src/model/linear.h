// Matrix products of the forward pass by operators.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "specthink/kernels/loaded_shard.h"

namespace specthink::inline model {

/// x · weightᵀ + bias, rounded to the type of x. x: [rows, in]; weight: [out, in]; bias: [out] or undefined.
///
/// A CPU without arithmetic in bfloat16 (or float16) multiplies several rows in float32, with the weights converted
/// block by block: the library's products take four times as long there. One row reads each weight once, and stays.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});

/// The same with a matrix of any type. 8-bit weights become elements of the type of x (on CPUs float32), some rows at a
/// time.
at::Tensor linear(const at::Tensor& x, const WeightMatrix& weights, const at::Tensor& bias = {});

/// Rows [first, first + count) of 8-bit weights, [count, input] in `type`.
at::Tensor dequantize(const WeightMatrix& weights, std::int64_t first, std::int64_t count, at::ScalarType type);

/// The product in float32, with weights converted so many rows at a time.
at::Tensor linear_by_blocks(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            std::int64_t block_rows);

}  // namespace specthink::inline model
