#include <ATen/ATen.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "model/checkpoint/float8.h"
#include "model/checkpoint/quantized_weights.h"
#include "model/checkpoint/stored_tensors.h"
#include "model/checkpoint/weight_source.h"
#include "specthink/base/error.h"

namespace specthink::inline model {
namespace {

/// A tensor whose elements are the weights themselves.
const StoredTensor& require_plain(const Checkpoint& checkpoint, const std::string& name,
                                  const std::vector<std::int64_t>& shape) {
  const StoredTensor& stored = checkpoint.require(name, shape);
  if (stored.type == StoredType::int32 || stored.type == StoredType::float8_e4m3) {
    throw UserError("{}: expected dtype BF16, F16, F32 or F64, found {} (config.json names no quantization of it)",
                    stored.where(), name_of(stored.type));
  }
  return stored;
}

/// Some rows of a tensor, in its file.
FilePart part_of(const StoredTensor& stored, std::int64_t first, std::int64_t count) {
  const std::int64_t columns = stored.shape.size() == 2 ? stored.shape[1] : 1;
  const std::size_t row_bytes = static_cast<std::size_t>(columns) * size_of(stored.type);
  return {stored.file, stored.offset() + static_cast<std::size_t>(first) * row_bytes,
          static_cast<std::size_t>(count) * row_bytes};
}

class CheckpointSource final : public WeightSource {
 public:
  CheckpointSource(const Checkpoint& checkpoint, Quantization quantization, at::TensorOptions options,
                   ReadAhead* read_ahead)
      : checkpoint_(checkpoint), quantization_(std::move(quantization)), options_(options), read_ahead_(read_ahead) {}

  at::Tensor vector(const std::string& module, std::int64_t size) override {
    return read(module + ".weight", {size}, size, 0, {0, size}, {0, 1}).view({size});
  }

  at::Tensor bias(const ModuleRows& part) override {
    return read(part.module + ".bias", {part.all_rows()}, part.rows, part.first, part.here, {0, 1})
        .view({part.here.count});
  }

  at::Tensor matrix(const ModuleRows& part, std::int64_t columns, Range column) override {
    if (quantization_.is_any() && is_quantized(checkpoint_, part.module)) {
      const at::Tensor whole =
          dequantized(checkpoint_, quantization_, part.module, part.all_rows(), columns, options_.device());
      return cut(whole, part, column);
    }
    return read(part.module + ".weight", {part.all_rows(), columns}, part.rows, part.first, part.here, column);
  }

  Float8Part float8_matrix(const ModuleRows& part, std::int64_t columns, Range column) override {
    if (quantization_.method != "fp8" || !is_quantized(checkpoint_, part.module)) {
      return WeightSource::float8_matrix(part, columns, column);
    }
    const StoredFloat8 stored = stored_float8(checkpoint_, quantization_, part.module, part.all_rows(), columns);
    const auto [block_rows, block_columns] = quantization_.block;
    const std::int64_t first_row = part.first + part.here.first;
    const Range rows_there = clip(part.here, part.rows);
    const Range columns_there = clip(column, columns);
    at::Tensor data = at::zeros({part.here.count, column.count}, options_.dtype(at::kByte));
    data.narrow(0, 0, rows_there.count)
        .narrow(1, 0, columns_there.count)
        .copy_(rows_of(*stored.data, part.first + rows_there.first, rows_there.count)
                   .view(at::kByte)
                   .narrow(1, columns_there.first, columns_there.count));
    stored.data->file->release(stored.data->offset(), stored.data->bytes.size());
    const auto blocks = [](std::int64_t first, std::int64_t count, std::int64_t block) {
      return Range{first / block, count == 0 ? 1 : (first + count - 1) / block - first / block + 1};
    };
    const Range of_rows = blocks(std::min(first_row, part.all_rows() - 1), rows_there.count, block_rows);
    const Range of_columns = blocks(std::min(column.first, columns - 1), columns_there.count, block_columns);
    const at::Tensor scales = rows_of(*stored.scales, of_rows.first, of_rows.count)
                                  .narrow(1, of_columns.first, of_columns.count)
                                  .to(options_.device(), at::kFloat, false, /*copy=*/true)
                                  .contiguous();
    return {data.view(at::kFloat8_e4m3fn), scales, block_rows, block_columns, first_row % block_rows,
            column.first % block_columns};
  }

 private:
  /// Of the `rows` rows from `first` on, those of `here`.
  at::Tensor read(const std::string& name, const std::vector<std::int64_t>& shape, std::int64_t rows,
                  std::int64_t first, Range here, Range column) {
    const StoredTensor& stored = require_plain(checkpoint_, name, shape);
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
    if (read_ahead_) read_ahead_->advance(part_of(stored, first + rows_there.first, rows_there.count).bytes);
    return part;
  }

  /// This rank's part of a module in a whole matrix, padded.
  at::Tensor cut(const at::Tensor& whole, const ModuleRows& part, Range column) {
    const Range rows_there = clip(part.here, part.rows);
    const Range columns_there = clip(column, whole.size(1));
    at::Tensor result = at::zeros({part.here.count, column.count}, options_);
    result.narrow(0, 0, rows_there.count)
        .narrow(1, 0, columns_there.count)
        .copy_(whole.narrow(0, part.first + rows_there.first, rows_there.count)
                   .narrow(1, columns_there.first, columns_there.count));
    return result;
  }

  const Checkpoint& checkpoint_;
  Quantization quantization_;
  at::TensorOptions options_;
  ReadAhead* read_ahead_;
};

class ShapeCheck : public WeightSource {
 public:
  ShapeCheck(const Checkpoint& checkpoint, Quantization quantization)
      : checkpoint_(checkpoint), quantization_(std::move(quantization)) {}

  at::Tensor vector(const std::string& module, std::int64_t size) override {
    require_plain(checkpoint_, module + ".weight", {size});
    return at::empty({size});
  }

  at::Tensor bias(const ModuleRows& part) override {
    require_plain(checkpoint_, part.module + ".bias", {part.all_rows()});
    return at::empty({0});
  }

  at::Tensor matrix(const ModuleRows& part, std::int64_t columns, Range) override {
    if (is_quantized_module(part.module)) {
      check_quantized(checkpoint_, quantization_, part.module, part.all_rows(), columns);
    } else {
      require_plain(checkpoint_, part.module + ".weight", {part.all_rows(), columns});
    }
    return at::empty({0, columns});
  }

  Float8Part float8_matrix(const ModuleRows& part, std::int64_t columns, Range column) override {
    return {matrix(part, columns, column), at::empty({0, 0}), kFloat8Block, kFloat8Block, 0, 0};
  }

 protected:
  bool is_quantized_module(const std::string& module) const {
    return quantization_.is_any() && is_quantized(checkpoint_, module);
  }

  const Checkpoint& checkpoint_;
  Quantization quantization_;
};

class ReadPlan final : public ShapeCheck {
 public:
  ReadPlan(const Checkpoint& checkpoint, Quantization quantization, std::vector<FilePart>& parts)
      : ShapeCheck(checkpoint, std::move(quantization)), parts_(parts) {}

  at::Tensor vector(const std::string& module, std::int64_t size) override {
    note(module + ".weight", {size}, 0, size);
    return at::empty({size});
  }

  at::Tensor bias(const ModuleRows& part) override {
    const Range rows = clip(part.here, part.rows);
    note(part.module + ".bias", {part.all_rows()}, part.first + rows.first, rows.count);
    return at::empty({0});
  }

  at::Tensor matrix(const ModuleRows& part, std::int64_t columns, Range) override {
    const Range rows = clip(part.here, part.rows);
    if (!is_quantized_module(part.module)) {
      note(part.module + ".weight", {part.all_rows(), columns}, part.first + rows.first, rows.count);
    }
    return at::empty({0, columns});
  }

 private:
  void note(const std::string& name, const std::vector<std::int64_t>& shape, std::int64_t first, std::int64_t count) {
    parts_.push_back(part_of(checkpoint_.require(name, shape), first, count));
  }

  std::vector<FilePart>& parts_;
};

}  // namespace

Range clip(Range range, std::int64_t size) {
  const std::int64_t first = std::min(range.first, size);
  return {first, std::min(range.first + range.count, size) - first};
}

std::unique_ptr<WeightSource> checkpoint_source(const Checkpoint& checkpoint, const Quantization& quantization,
                                                at::TensorOptions options, ReadAhead* read_ahead) {
  return std::make_unique<CheckpointSource>(checkpoint, quantization, options, read_ahead);
}

std::unique_ptr<WeightSource> read_plan_source(const Checkpoint& checkpoint, const Quantization& quantization,
                                               std::vector<FilePart>& parts) {
  return std::make_unique<ReadPlan>(checkpoint, quantization, parts);
}

std::unique_ptr<WeightSource> shape_check_source(const Checkpoint& checkpoint, const Quantization& quantization) {
  return std::make_unique<ShapeCheck>(checkpoint, quantization);
}

}  // namespace specthink::inline model
