#include <cuda_runtime.h>

#include "kernels/device/tensor_map.h"
#include "specthink/base/error.h"

namespace specthink::inline kernels {
namespace {

/// The driver's function, found through the runtime so that nothing links against the driver itself.
auto encode_function() {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
  const cudaError_t status =
      cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &found);
  if (status != cudaSuccess || found != cudaDriverEntryPointSuccess) {
    throw EnvironmentError("the CUDA driver has no cuTensorMapEncodeTiled: it is too old for this build");
  }
  return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(function);
}

/// L2 promotion stays at 128 bytes: with 256 the copies of a whole GPU reach 90 % of the bandwidth that they have here.
CUtensorMap make_map(const void* data, std::int64_t rows, std::int64_t row_bytes, int box_rows, int box_row_bytes,
                     int element_bytes, CUtensorMapSwizzle swizzle) {
  static const auto encode = encode_function();
  CUtensorMap map{};
  const cuuint64_t sizes[2] = {static_cast<cuuint64_t>(row_bytes / element_bytes), static_cast<cuuint64_t>(rows)};
  const cuuint64_t strides[1] = {static_cast<cuuint64_t>(row_bytes)};
  const cuuint32_t box[2] = {static_cast<cuuint32_t>(box_row_bytes / element_bytes), static_cast<cuuint32_t>(box_rows)};
  const cuuint32_t steps[2] = {1, 1};
  const CUtensorMapDataType type = element_bytes == 4   ? CU_TENSOR_MAP_DATA_TYPE_UINT32
                                   : element_bytes == 2 ? CU_TENSOR_MAP_DATA_TYPE_UINT16
                                                        : CU_TENSOR_MAP_DATA_TYPE_UINT8;
  const CUresult status =
      encode(&map, type, 2, const_cast<void*>(data), sizes, strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle,
             CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS) {
    throw EnvironmentError("cuTensorMapEncodeTiled of {} rows of {} bytes in boxes of {} rows failed: error {}", rows,
                           row_bytes, box_rows, static_cast<int>(status));
  }
  return map;
}

}  // namespace

CUtensorMap make_tensor_map(const void* data, std::int64_t rows, std::int64_t row_bytes, int box_rows) {
  return make_map(data, rows, row_bytes, box_rows, kBoxRowBytes, 4, CU_TENSOR_MAP_SWIZZLE_NONE);
}

CUtensorMap make_panel_map(const void* data, std::int64_t rows, std::int64_t columns, int box_rows) {
  return make_map(data, rows, 2 * columns, box_rows, 2 * kPanelBoxColumns, 2, CU_TENSOR_MAP_SWIZZLE_128B);
}

CUtensorMap make_byte_map(const void* data, std::int64_t rows, std::int64_t columns, int box_rows) {
  return make_map(data, rows, columns, box_rows, kPanelBoxColumns, 1, CU_TENSOR_MAP_SWIZZLE_NONE);
}

}  // namespace specthink::inline kernels
