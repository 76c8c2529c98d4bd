#include "model/checkpoint/stored_tensors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

#include "specthink/base/error.h"

namespace specthink::inline model {
namespace {

constexpr std::size_t kCompared = std::size_t{8} << 20;  // bytes at a time, so that host memory stays small

}  // namespace

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

std::vector<FilePart> parts_of(const std::vector<StoredRows>& rows) {
  std::vector<FilePart> parts;
  for (const StoredRows& some : rows) {
    if (some.bytes() > 0) parts.push_back(some.part());
  }
  return parts;
}

at::Tensor read_rows(const StoredRows& rows) {
  at::Tensor tensor = at::empty({rows.count, rows.columns()}, at::TensorOptions(scalar_type(rows.tensor->type)));
  rows.tensor->file->read(rows.part().offset, {static_cast<std::byte*>(tensor.mutable_data_ptr()), rows.bytes()});
  return tensor;
}

bool same_values(const StoredTensor& a, const StoredTensor& b) {
  if (a.shape != b.shape) return false;
  if (a.bytes.data() == b.bytes.data()) return true;
  const auto most = static_cast<std::int64_t>(std::max<std::size_t>(1, kCompared / whole(a).row_bytes()));
  for (std::int64_t first = 0; first < a.shape[0]; first += most) {
    const std::int64_t count = std::min(most, a.shape[0] - first);
    const at::Tensor rows_a = read_rows({&a, first, count});
    const at::Tensor rows_b = read_rows({&b, first, count});
    const bool same = a.type == b.type ? std::memcmp(rows_a.data_ptr(), rows_b.data_ptr(), rows_a.nbytes()) == 0
                                       : at::equal(rows_a.to(at::kDouble), rows_b.to(at::kDouble));
    if (!same) return false;
  }
  return true;
}

}  // namespace specthink::inline model
