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

/// The module's rows of `part.here` but padding.
StoredRows rows_there(const StoredTensor& stored, const ModuleRows& part) {
  const Range there = clip(part.here, part.rows);
  return {&stored, part.first + there.first, there.count};
}

/// A rank's part of a matrix of 8-bit floats, in their stored form.
struct Float8Slice {
  StoredRows data;
  Range columns;  // of data, without padding
  StoredRows scales;
  Range scale_columns;
};

Float8Slice float8_slice(const Checkpoint& checkpoint, const Quantization& quantization, const ModuleRows& part,
                         std::int64_t columns, Range column) {
  const StoredFloat8 stored = stored_float8(checkpoint, quantization, part.module, part.all_rows(), columns);
  const auto [block_rows, block_columns] = quantization.block;
  const auto blocks = [](std::int64_t first, std::int64_t count, std::int64_t block) {
    return Range{first / block, count == 0 ? 1 : (first + count - 1) / block - first / block + 1};
  };
  Float8Slice slice;
  slice.data = rows_there(*stored.data, part);
  slice.columns = clip(column, columns);
  const std::int64_t first_row = std::min(part.first + part.here.first, part.all_rows() - 1);
  const Range scale_rows = blocks(first_row, slice.data.count, block_rows);
  slice.scales = {stored.scales, scale_rows.first, scale_rows.count};
  slice.scale_columns = blocks(std::min(column.first, columns - 1), slice.columns.count, block_columns);
  return slice;
}

/// Reads in the order that ReadPlan notes.
class CheckpointSource final : public WeightSource {
 public:
  CheckpointSource(const Checkpoint& checkpoint, Quantization quantization, at::TensorOptions options,
                   StagedReader& reader)
      : checkpoint_(checkpoint), quantization_(std::move(quantization)), options_(options), reader_(reader) {}

  at::Tensor vector(const std::string& module, std::int64_t size) override {
    const at::Tensor vector = room(size, 1);
    read(whole(require_plain(checkpoint_, module + ".weight", {size})), {0, 1}, vector);
    return vector.view({size});
  }

  at::Tensor bias(const ModuleRows& part) override {
    const StoredTensor& stored = require_plain(checkpoint_, part.module + ".bias", {part.all_rows()});
    const at::Tensor bias = room(part.here.count, 1);
    read(rows_there(stored, part), {0, 1}, bias);
    return bias.view({part.here.count});
  }

  at::TensorOptions options() const override { return options_; }

  void read_matrix(const ModuleRows& part, std::int64_t columns, Range column, const at::Tensor& out) override {
    if (!quantization_.is_any() || !is_quantized(checkpoint_, part.module)) {
      const StoredTensor& stored = require_plain(checkpoint_, part.module + ".weight", {part.all_rows(), columns});
      return read(rows_there(stored, part), column, out);
    }
    const auto read_whole = [this](const StoredTensor& stored) {
      const StoredRows rows = whole(stored);
      at::Tensor tensor = at::empty({rows.count, rows.columns()}, options_.dtype(scalar_type(stored.type)));
      reader_.read(rows, 0, tensor);
      return tensor;
    };
    const at::Tensor all = dequantized(checkpoint_, quantization_, part.module, part.all_rows(), columns, read_whole);
    const Range rows = clip(part.here, part.rows);
    const Range there = clip(column, columns);
    part_there(out, rows.count, there.count)
        .copy_(all.narrow(0, part.first + rows.first, rows.count).narrow(1, there.first, there.count));
  }

  Float8Part float8_matrix(const ModuleRows& part, std::int64_t columns, Range column, const at::Tensor& out) override {
    if (quantization_.method != "fp8" || !is_quantized(checkpoint_, part.module)) {
      return WeightSource::float8_matrix(part, columns, column, out);
    }
    const Float8Slice slice = float8_slice(checkpoint_, quantization_, part, columns, column);
    reader_.read(slice.data, slice.columns.first, part_there(out, slice.data.count, slice.columns.count));
    const at::Tensor scales = at::empty({slice.scales.count, slice.scale_columns.count}, options_.dtype(at::kFloat));
    reader_.read(slice.scales, slice.scale_columns.first, scales);
    const auto [block_rows, block_columns] = quantization_.block;
    return {out,
            scales,
            block_rows,
            block_columns,
            (part.first + part.here.first) % block_rows,
            column.first % block_columns};
  }

 private:
  /// The upper left part of `out` that is no padding; the rest becomes zero.
  static at::Tensor part_there(const at::Tensor& out, std::int64_t rows, std::int64_t columns) {
    if (rows < out.size(0) || columns < out.size(1)) out.zero_();
    return out.narrow(0, 0, rows).narrow(1, 0, columns);
  }

  /// The rows' columns of `column` into `out`, with padding.
  void read(const StoredRows& rows, Range column, const at::Tensor& out) {
    const Range there = clip(column, rows.columns());
    reader_.read(rows, there.first, part_there(out, rows.count, there.count));
  }

  const Checkpoint& checkpoint_;
  Quantization quantization_;
  at::TensorOptions options_;
  StagedReader& reader_;
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

  /// Without data.
  at::TensorOptions options() const override { return at::TensorOptions(at::kMeta); }

  void read_matrix(const ModuleRows& part, std::int64_t columns, Range, const at::Tensor&) override {
    if (is_quantized_module(part.module)) {
      check_quantized(checkpoint_, quantization_, part.module, part.all_rows(), columns);
    } else {
      require_plain(checkpoint_, part.module + ".weight", {part.all_rows(), columns});
    }
  }

  Float8Part float8_matrix(const ModuleRows& part, std::int64_t columns, Range column, const at::Tensor& out) override {
    read_matrix(part, columns, column, out);
    return no_float8(out);
  }

 protected:
  static Float8Part no_float8(const at::Tensor& out) {
    return {out, at::ones({1, 1}), kFloat8Block, kFloat8Block, 0, 0};
  }

  bool is_quantized_module(const std::string& module) const {
    return quantization_.is_any() && is_quantized(checkpoint_, module);
  }

  const Checkpoint& checkpoint_;
  Quantization quantization_;
};

class ReadPlan final : public ShapeCheck {
 public:
  ReadPlan(const Checkpoint& checkpoint, Quantization quantization, std::vector<StoredRows>& plan)
      : ShapeCheck(checkpoint, std::move(quantization)), plan_(plan) {}

  at::Tensor vector(const std::string& module, std::int64_t size) override {
    plan_.push_back(whole(checkpoint_.require(module + ".weight", {size})));
    return at::empty({size});
  }

  at::Tensor bias(const ModuleRows& part) override {
    plan_.push_back(rows_there(checkpoint_.require(part.module + ".bias", {part.all_rows()}), part));
    return at::empty({0});
  }

  void read_matrix(const ModuleRows& part, std::int64_t columns, Range, const at::Tensor&) override {
    if (is_quantized_module(part.module)) {
      for (const StoredTensor* stored :
           quantized_tensors(checkpoint_, quantization_, part.module, part.all_rows(), columns)) {
        plan_.push_back(whole(*stored));
      }
    } else {
      plan_.push_back(rows_there(checkpoint_.require(part.module + ".weight", {part.all_rows(), columns}), part));
    }
  }

  Float8Part float8_matrix(const ModuleRows& part, std::int64_t columns, Range column, const at::Tensor& out) override {
    if (quantization_.method == "fp8" && is_quantized_module(part.module)) {
      const Float8Slice slice = float8_slice(checkpoint_, quantization_, part, columns, column);
      plan_.push_back(slice.data);
      plan_.push_back(slice.scales);
    } else {
      read_matrix(part, columns, column, out);
    }
    return no_float8(out);
  }

 private:
  std::vector<StoredRows>& plan_;
};

}  // namespace

Range clip(Range range, std::int64_t size) {
  const std::int64_t first = std::min(range.first, size);
  return {first, std::min(range.first + range.count, size) - first};
}

at::Tensor WeightSource::room(std::int64_t rows, std::int64_t columns) const {
  return at::empty({rows, columns}, options());
}

std::unique_ptr<WeightSource> checkpoint_source(const Checkpoint& checkpoint, const Quantization& quantization,
                                                at::TensorOptions options, StagedReader& reader) {
  return std::make_unique<CheckpointSource>(checkpoint, quantization, options, reader);
}

std::unique_ptr<WeightSource> read_plan_source(const Checkpoint& checkpoint, const Quantization& quantization,
                                               std::vector<StoredRows>& plan) {
  return std::make_unique<ReadPlan>(checkpoint, quantization, plan);
}

std::unique_ptr<WeightSource> shape_check_source(const Checkpoint& checkpoint, const Quantization& quantization) {
  return std::make_unique<ShapeCheck>(checkpoint, quantization);
}

}  // namespace specthink::inline model
