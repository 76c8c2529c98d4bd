// Descriptors by which the copy engine reads boxes of a matrix; CUDA builds only.
#pragma once

#include <cuda.h>

#include <cstdint>

namespace specthink::inline kernels {

constexpr int kBoxRowBytes = 1024;  ///< the widest box of words that the copy engine takes

/// A row-major [rows, row_bytes] matrix, read in boxes of `box_rows` x kBoxRowBytes; a box lies in shared memory row by
/// row. To the copy engine an element is a word of 4 bytes. `data` is 16-byte aligned, row_bytes a multiple of 16.
/// Throws EnvironmentError when the driver refuses.
CUtensorMap make_tensor_map(const void* data, std::int64_t rows, std::int64_t row_bytes, int box_rows);

constexpr int kPanelBoxColumns = 64;  ///< 128 bytes, the width of a swizzled box

/// A row-major [rows, columns] matrix of 16-bit elements in boxes of `box_rows` x kPanelBoxColumns, swizzled by 128
/// bytes: panels of wgmma.cuh.
CUtensorMap make_panel_map(const void* data, std::int64_t rows, std::int64_t columns, int box_rows);

/// The same of 8-bit elements, 64 bytes a row of a box, row by row; columns are a multiple of 16.
CUtensorMap make_byte_map(const void* data, std::int64_t rows, std::int64_t columns, int box_rows);

}  // namespace specthink::inline kernels
