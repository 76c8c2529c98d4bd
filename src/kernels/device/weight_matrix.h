// A matrix of weights as kernels see it.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/device/weight_format.h"
#include "specthink/kernels/loaded_shard.h"

namespace specthink::inline kernels {

inline WeightFormat format_of(const WeightMatrix& matrix) {
  return matrix.type == WeightType::float8 ? WeightFormat::float8 : WeightFormat::elements;
}

inline WeightScales scales_of(const WeightMatrix& matrix) {
  if (matrix.type != WeightType::float8) return {};
  return {matrix.scales.const_data_ptr<float>(), static_cast<int>(matrix.scales.size(1)),
          std::countr_zero(static_cast<std::uint64_t>(matrix.scale_rows)),
          std::countr_zero(static_cast<std::uint64_t>(matrix.scale_columns))};
}

}  // namespace specthink::inline kernels
