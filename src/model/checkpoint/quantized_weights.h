// Weights that a checkpoint stores in fewer bits, as plain matrices.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/description/config_reader.h"
#include "specthink/model/checkpoint.h"
#include "specthink/model/model_config.h"

namespace specthink::inline model {

/// config.json's quantization_config; none when there is no such key. Throws UserError for a method, or a form of it,
/// that cannot be dequantised.
Quantization parse_quantization(const ConfigReader& config);

/// Whether the module's matrix is stored in fewer bits: some modules of such a checkpoint are not.
bool is_quantized(const Checkpoint& checkpoint, const std::string& module);

/// Throws UserError unless everything that the module's matrix [rows, columns] is made of is there, in its shape.
void check_quantized(const Checkpoint& checkpoint, const Quantization& quantization, const std::string& module,
                     std::int64_t rows, std::int64_t columns);

/// A matrix of 8-bit floats and its factors, [blocks of rows, blocks of columns].
struct StoredFloat8 {
  const StoredTensor* data = nullptr;
  const StoredTensor* scales = nullptr;
};
/// Throws as check_quantized() does.
StoredFloat8 stored_float8(const Checkpoint& checkpoint, const Quantization& quantization, const std::string& module,
                           std::int64_t rows, std::int64_t columns);

/// What the module's matrix is made of, in the order in which dequantized() reads it. Throws as check_quantized() does.
std::vector<const StoredTensor*> quantized_tensors(const Checkpoint& checkpoint, const Quantization& quantization,
                                                   const std::string& module, std::int64_t rows, std::int64_t columns);

/// Gives a whole tensor in its stored type on the device that will compute, [rows, columns].
using ReadWhole = std::function<at::Tensor(const StoredTensor&)>;

/// The whole matrix on that device, [rows, columns] float32. Throws as check_quantized() does.
at::Tensor dequantized(const Checkpoint& checkpoint, const Quantization& quantization, const std::string& module,
                       std::int64_t rows, std::int64_t columns, const ReadWhole& read);

}  // namespace specthink::inline model
