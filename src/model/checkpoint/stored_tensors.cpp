#include "model/checkpoint/stored_tensors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

#include "specthink/base/error.h"

namespace specthink::inline model {
namespace {

at::ScalarType scalar_type(StoredType type) {
  switch (type) {
    case StoredType::bfloat16:
      return at::kBFloat16;
    case StoredType::float16:
      return at::kHalf;
    case StoredType::float32:
      return at::kFloat;
    case StoredType::float64:
      return at::kDouble;
    case StoredType::int32:
      return at::kInt;
    case StoredType::float8_e4m3:
      return at::kFloat8_e4m3fn;
  }
  throw InternalError("unknown stored type");
}

}  // namespace

at::Tensor rows_of(const StoredTensor& stored, std::int64_t first, std::int64_t count) {
  const std::int64_t columns = stored.shape.size() == 2 ? stored.shape[1] : 1;
  const std::size_t row_bytes = static_cast<std::size_t>(columns) * size_of(stored.type);
  const std::byte* begin = stored.bytes.data() + static_cast<std::size_t>(first) * row_bytes;
  const at::TensorOptions options(scalar_type(stored.type));
  // The data section of the file need not be aligned for its type.
  if (reinterpret_cast<std::uintptr_t>(begin) % size_of(stored.type) == 0) {
    return at::from_blob(const_cast<std::byte*>(begin), {count, columns}, options);
  }
  at::Tensor copy = at::empty({count, columns}, options);
  std::memcpy(copy.mutable_data_ptr(), begin, copy.nbytes());
  return copy;
}

bool same_values(const StoredTensor& a, const StoredTensor& b) {
  if (a.shape != b.shape) return false;
  if (a.bytes.data() == b.bytes.data()) return true;
  if (a.type == b.type) return std::ranges::equal(a.bytes, b.bytes);
  constexpr std::int64_t kRows = 1024;  // at a time, so that host memory stays small
  for (std::int64_t first = 0; first < a.shape[0]; first += kRows) {
    const std::int64_t count = std::min(kRows, a.shape[0] - first);
    if (!at::equal(rows_of(a, first, count).to(at::kDouble), rows_of(b, first, count).to(at::kDouble))) return false;
  }
  return true;
}

}  // namespace specthink::inline model
