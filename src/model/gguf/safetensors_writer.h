// Writes a .safetensors file one tensor after the other.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "specthink/config/settings.h"

namespace specthink::inline model::gguf {

class SafetensorsWriter {
 public:
  struct Entry {
    std::string name;
    std::vector<std::int64_t> shape;
  };

  /// All tensors are of `type`; append() gets their values in this order. Throws EnvironmentError.
  SafetensorsWriter(const std::filesystem::path& path, const std::vector<Entry>& entries, DType type);

  /// The next values of the current tensor.
  void append(std::span<const float> values);

  /// Flushes; all values must have been appended.
  void finish();

  std::int64_t data_bytes() const { return data_bytes_; }

 private:
  void write(const void* data, std::size_t bytes);

  std::filesystem::path path_;
  std::ofstream stream_;
  DType type_;
  std::int64_t data_bytes_ = 0;
  std::int64_t written_ = 0;
  std::vector<std::uint16_t> halves_;
};

}  // namespace specthink::inline model::gguf
