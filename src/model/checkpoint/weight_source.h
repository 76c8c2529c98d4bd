// Where weights come from: a checkpoint or a random generator. Each call gives this rank's part of one tensor.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/checkpoint/float8.h"
#include "model/checkpoint/staged_reader.h"
#include "model/checkpoint/stored_tensors.h"
#include "specthink/model/checkpoint.h"
#include "specthink/model/model_config.h"

namespace specthink::inline model {

/// Rows or columns [first, first + count) of a whole matrix; what lies beyond its end is padding with zeros.
struct Range {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// Part of `range` that exists in a dimension of `size`.
Range clip(Range range, std::int64_t size);

/// The rows that a rank wants of a module, whose rows are all of a stored tensor or some of a fused one.
struct ModuleRows {
  std::string module;            ///< name in the checkpoint, without ".weight"
  std::int64_t rows = 0;         ///< of the module
  Range here = {};               ///< of this rank, counted within the module
  std::int64_t first = 0;        ///< row of the stored tensor where the module begins
  std::int64_t stored_rows = 0;  ///< of the stored tensor; 0: it holds this module alone

  std::int64_t all_rows() const { return stored_rows > 0 ? stored_rows : rows; }
};

class WeightSource {
 public:
  virtual ~WeightSource() = default;
  virtual at::TensorOptions options() const = 0;  ///< of weights
  /// A matrix [rows, columns] for read_matrix(), with whatever in it.
  at::Tensor room(std::int64_t rows, std::int64_t columns) const;
  /// Fills `out` [here.count, column.count] with that part of the module's weight, which has `columns` columns.
  virtual void read_matrix(const ModuleRows& part, std::int64_t columns, Range column, const at::Tensor& out) = 0;
  at::Tensor matrix(const ModuleRows& part, std::int64_t columns, Range column) {
    at::Tensor out = room(part.here.count, column.count);
    read_matrix(part, columns, column, out);
    return out;
  }
  /// The same in 8-bit floats, as stored or quantised here, into `out` [here.count, column.count], bytes.
  virtual Float8Part float8_matrix(const ModuleRows& part, std::int64_t columns, Range column, const at::Tensor& out) {
    return quantize_float8(matrix(part, columns, column), out);
  }
  virtual at::Tensor bias(const ModuleRows& part) = 0;                          ///< [here.count]
  virtual at::Tensor vector(const std::string& module, std::int64_t size) = 0;  ///< a whole weight: [size]
};

/// Reads the tensors in the type and on the device of `options`. `checkpoint` and `reader`, which has the plan of
/// read_plan_source, must outlive the source.
std::unique_ptr<WeightSource> checkpoint_source(const Checkpoint& checkpoint, const Quantization& quantization,
                                                at::TensorOptions options, StagedReader& reader);

/// Reads nothing and notes in `plan` what checkpoint_source would read, in its order.
std::unique_ptr<WeightSource> read_plan_source(const Checkpoint& checkpoint, const Quantization& quantization,
                                               std::vector<StoredRows>& plan);

/// Looks the tensors up and reads nothing: what it returns has no data.
std::unique_ptr<WeightSource> shape_check_source(const Checkpoint& checkpoint, const Quantization& quantization);

/// Random weights; the same for any number of ranks.
std::unique_ptr<WeightSource> random_source(at::TensorOptions options, std::uint64_t seed);

}  // namespace specthink::inline model
