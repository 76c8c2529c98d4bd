// Matrix products of the forward pass by operators.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace specthink::inline model {

/// x · weightᵀ + bias, rounded to the type of x. x: [rows, in]; weight: [out, in]; bias: [out] or undefined.
///
/// A CPU without arithmetic in bfloat16 (or float16) multiplies several rows in float32, with the weights converted
/// block by block: the library's products take four times as long there. One row reads each weight once, and stays.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});

/// The product in float32, with weights converted so many rows at a time.
at::Tensor linear_by_blocks(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            std::int64_t block_rows);

}  // namespace specthink::inline model
