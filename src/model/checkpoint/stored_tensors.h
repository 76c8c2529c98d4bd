// Tensors of a checkpoint as LibTorch sees them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "specthink/model/safetensors.h"

namespace specthink::inline model {

/// Rows [first, first + count) of a stored vector or matrix, [count, columns] on the CPU in the stored type: a view of
/// the mapped file where its alignment allows.
at::Tensor rows_of(const StoredTensor& stored, std::int64_t first, std::int64_t count);

/// Whether two tensors of one shape hold the same numbers, in whatever types.
bool same_values(const StoredTensor& a, const StoredTensor& b);

}  // namespace specthink::inline model
