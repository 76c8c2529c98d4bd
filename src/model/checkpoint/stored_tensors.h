// Tensors of a checkpoint as LibTorch sees them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/checkpoint/read_ahead.h"
#include "specthink/model/safetensors.h"

namespace specthink::inline model {

at::ScalarType scalar_type(StoredType type);

/// Some rows of a stored matrix; a vector has rows of one element.
struct StoredRows {
  const StoredTensor* tensor = nullptr;
  std::int64_t first = 0;
  std::int64_t count = 0;

  std::int64_t columns() const { return tensor->shape.size() == 2 ? tensor->shape[1] : 1; }
  std::size_t row_bytes() const { return static_cast<std::size_t>(columns()) * size_of(tensor->type); }
  std::size_t bytes() const { return static_cast<std::size_t>(count) * row_bytes(); }
  FilePart part() const {
    return {tensor->file, tensor->offset() + static_cast<std::size_t>(first) * row_bytes(), bytes()};
  }
};

/// All rows of a tensor.
inline StoredRows whole(const StoredTensor& tensor) { return {&tensor, 0, tensor.shape[0]}; }

/// Where the rows are that are read one after the other.
std::vector<FilePart> parts_of(const std::vector<StoredRows>& rows);

/// [count, columns] on the CPU in the stored type. Throws as MappedFile::read() does.
at::Tensor read_rows(const StoredRows& rows);

/// Whether two tensors of one shape hold the same numbers, in whatever types. Throws as MappedFile::read() does.
bool same_values(const StoredTensor& a, const StoredTensor& b);

}  // namespace specthink::inline model
