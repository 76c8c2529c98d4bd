// Descriptors by which the copy engine reads boxes of a matrix; CUDA builds only.
#pragma once

#include <cuda.h>

#include <cstdint>

namespace specthink::inline kernels {

constexpr int kBoxColumns = 512;  ///< 1 KB: the widest box of pairs of elements that the copy engine takes

/// A row-major [rows, columns] matrix of 16-bit elements, read in boxes of `box_rows` x kBoxColumns; a box lies in
/// shared memory row by row. To the copy engine an element is a pair of them: column c is at coordinate c / 2. `data`
/// is 16-byte aligned, columns a multiple of 8. Throws EnvironmentError when the driver refuses.
CUtensorMap make_tensor_map(const void* data, std::int64_t rows, std::int64_t columns, int box_rows);

constexpr int kPanelBoxColumns = 64;  ///< 128 bytes, the width of a swizzled box

/// The same matrix in boxes of `box_rows` x kPanelBoxColumns, swizzled by 128 bytes: panels of wgmma.cuh.
CUtensorMap make_panel_map(const void* data, std::int64_t rows, std::int64_t columns, int box_rows);

}  // namespace specthink::inline kernels
