// The types in which ggml stores numbers, and their values as floats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace specthink::inline model::gguf {

/// Numbers are stored in blocks of `block_elements`, each `block_bytes` long.
struct GgmlType {
  std::uint32_t id;  ///< in the file
  const char* name;
  std::int64_t block_elements;
  std::int64_t block_bytes;
  /// The values of `blocks` consecutive blocks; null: not supported.
  void (*dequantize)(const std::byte* data, std::int64_t blocks, float* values);
};

/// Null for an id that ggml does not have.
const GgmlType* find_type(std::uint32_t id);

/// The names of the types that can be dequantised, for messages.
std::string supported_type_names();

}  // namespace specthink::inline model::gguf
