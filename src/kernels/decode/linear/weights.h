// A linear layer's matrix as launch_linear() takes it.
#pragma once

#include <cstdint>

#include "kernels/decode/linear/linear.h"
#include "kernels/device/tensor_map.h"
#include "kernels/device/weight_matrix.h"
#include "specthink/kernels/loaded_shard.h"

namespace specthink::inline kernels {

/// Fills in what describes the weights. The matrix must outlive the launches.
inline void set_weights(LinearParams& params, const WeightMatrix& matrix) {
  const auto element = static_cast<std::int64_t>(matrix.data.element_size());
  params.weights = make_tensor_map(matrix.data.const_data_ptr(), matrix.data.size(0), matrix.data.size(1) * element,
                                   params.geometry.group_rows);
  params.scales = scales_of(matrix);
}

/// Why launch_linear() does not take the matrix; empty when it does. Blocks of factors have at least two rows, as
/// tested (of a swiglu, gate and up rows are blocks of their own), and 64 columns, a warp's part of a chunk.
inline const char* linear_obstacle(const WeightMatrix& matrix) {
  constexpr std::int64_t kLeastScaleRows = 2;
  constexpr std::int64_t kLeastScaleColumns = 64;
  if (matrix.type == WeightType::float32) return "weights are float32";
  if (matrix.data.size(1) * static_cast<std::int64_t>(matrix.data.element_size()) % 16 != 0)
    return "rows of a weight matrix are no multiple of 16 bytes";
  if (matrix.type == WeightType::float8 &&
      (matrix.scale_rows < kLeastScaleRows || matrix.scale_columns < kLeastScaleColumns))
    return "a rank's parts of the matrices cut through the blocks of 8-bit weights";
  return "";
}

}  // namespace specthink::inline kernels
