// Matrices of 8-bit floats (e4m3) with a float32 factor for each block, as the decode kernels take them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "specthink/kernels/loaded_shard.h"

namespace specthink::inline model {

/// Some rows and columns of a matrix whose blocks may begin before the first of them.
struct Float8Part {
  at::Tensor data;                 ///< [rows, columns] e4m3, as bytes
  at::Tensor scales;               ///< [blocks of rows, blocks of columns] float32
  std::int64_t block_rows = 0;     ///< of the matrix that it is a part of
  std::int64_t block_columns = 0;  ///< the same
  std::int64_t first_row = 0;      ///< of the part, within its first block
  std::int64_t first_column = 0;   ///< the same
};

constexpr std::int64_t kFloat8Block = 128;  ///< rows and columns of a block that quantize_float8() makes

/// The nearest e4m3 to each element over its block's factor, which is the block's greatest magnitude over 448, the
/// greatest e4m3. The blocks begin at the first row and column. A block of zeros has the factor 1. `out`: bytes of the
/// matrix's size, which become the part's data. Takes little memory beside them, so that the allocator, which keeps
/// what it has had, does not end up with much more than the weights.
Float8Part quantize_float8(const at::Tensor& matrix, const at::Tensor& out);

/// The parts, of as many columns, which lie one below the other in `data`. Where their blocks do not line up, factors
/// are repeated for smaller blocks, so that all have the same size, a power of two.
WeightMatrix stack_float8(const std::vector<Float8Part>& parts, const at::Tensor& data);

}  // namespace specthink::inline model
