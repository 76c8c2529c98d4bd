#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

#include "model/stored_tensors.h"
#include "model/weight_source.h"

namespace specthink::inline model {
namespace {

class CheckpointSource final : public WeightSource {
 public:
  CheckpointSource(const Checkpoint& checkpoint, at::TensorOptions options)
      : checkpoint_(checkpoint), options_(options) {}

  at::Tensor vector(const std::string& module, std::int64_t size) override {
    return read(module + ".weight", {size}, size, 0, {0, size}, {0, 1}).view({size});
  }

  at::Tensor bias(const ModuleRows& part) override {
    return read(part.module + ".bias", {part.all_rows()}, part.rows, part.first, part.here, {0, 1})
        .view({part.here.count});
  }

  at::Tensor matrix(const ModuleRows& part, std::int64_t columns, Range column) override {
    return read(part.module + ".weight", {part.all_rows(), columns}, part.rows, part.first, part.here, column);
  }

 private:
  /// Of the `rows` rows from `first` on, those of `here`.
  at::Tensor read(const std::string& name, const std::vector<std::int64_t>& shape, std::int64_t rows,
                  std::int64_t first, Range here, Range column) {
    const StoredTensor& stored = checkpoint_.require(name, shape);
    const Range rows_there = clip(here, rows);
    const Range columns_there = clip(column, shape.size() == 2 ? shape[1] : 1);
    const at::Tensor slice =
        rows_of(stored, first + rows_there.first, rows_there.count).narrow(1, columns_there.first, columns_there.count);
    at::Tensor part;
    if (rows_there.count == here.count && columns_there.count == column.count) {
      part = slice.contiguous().to(options_, /*non_blocking=*/false, /*copy=*/true);
    } else {
      part = at::zeros({here.count, column.count}, options_);
      part.narrow(0, 0, rows_there.count).narrow(1, 0, columns_there.count).copy_(slice);
    }
    stored.file->release(stored.offset(), stored.bytes.size());
    return part;
  }

  const Checkpoint& checkpoint_;
  at::TensorOptions options_;
};

class ShapeCheck final : public WeightSource {
 public:
  explicit ShapeCheck(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}

  at::Tensor vector(const std::string& module, std::int64_t size) override {
    checkpoint_.require(module + ".weight", {size});
    return at::empty({size});
  }

  at::Tensor bias(const ModuleRows& part) override {
    checkpoint_.require(part.module + ".bias", {part.all_rows()});
    return at::empty({0});
  }

  at::Tensor matrix(const ModuleRows& part, std::int64_t columns, Range) override {
    checkpoint_.require(part.module + ".weight", {part.all_rows(), columns});
    return at::empty({0, columns});
  }

 private:
  const Checkpoint& checkpoint_;
};

}  // namespace

Range clip(Range range, std::int64_t size) {
  const std::int64_t first = std::min(range.first, size);
  return {first, std::min(range.first + range.count, size) - first};
}

std::unique_ptr<WeightSource> checkpoint_source(const Checkpoint& checkpoint, at::TensorOptions options) {
  return std::make_unique<CheckpointSource>(checkpoint, options);
}

std::unique_ptr<WeightSource> shape_check_source(const Checkpoint& checkpoint) {
  return std::make_unique<ShapeCheck>(checkpoint);
}

}  // namespace specthink::inline model
