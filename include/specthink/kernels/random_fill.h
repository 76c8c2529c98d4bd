// Random weights that do not depend on who makes which part of them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace specthink::inline kernels {

/// Where a rank's part lies in the whole matrix.
struct MatrixSlice {
  std::int64_t first_row = 0;
  std::int64_t first_column = 0;
  std::int64_t columns = 0;  ///< of the whole matrix
};

/// Fills the [rows, columns] tensor with uniform values in (-amplitude, amplitude), each a function of `key` and its
/// place in the whole matrix alone: the same weights for any number of ranks, on CPUs and GPUs alike (to the bit:
/// integer arithmetic and one exact conversion). Contiguous; bfloat16, float16 or float32.
void random_fill(at::Tensor& tensor, const MatrixSlice& slice, std::uint64_t key, float amplitude);

}  // namespace specthink::inline kernels
