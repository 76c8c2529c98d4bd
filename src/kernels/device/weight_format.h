// What a weight is in memory, for kernels that read it.
#pragma once

namespace specthink::inline kernels {

enum class WeightFormat {
  elements,  ///< an element of the type of the activations
  float8,    ///< e4m3, with a float32 factor for each block of the matrix
};

/// Factors of blocks of 8-bit weights: of (row, column) at [row >> row_shift][column >> column_shift].
struct WeightScales {
  const float* data = nullptr;
  int row_stride = 0;
  int row_shift = 0;
  int column_shift = 0;
};

}  // namespace specthink::inline kernels
