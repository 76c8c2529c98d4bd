// One .safetensors file, mapped. Format: 8 bytes little-endian header length, a JSON header, then the data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "specthink/base/file.h"

namespace specthink::inline model {

/// int32 and float8_e4m3 are those of quantised weights, which are no numbers of their own.
enum class StoredType { bfloat16, float16, float32, float64, int32, float8_e4m3 };
const char* name_of(StoredType type);
std::size_t size_of(StoredType type);

/// A tensor in a mapped file; valid as long as the file object.
struct StoredTensor {
  std::string name;
  StoredType type = StoredType::float32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  ///< row-major, little-endian
  const MappedFile* file = nullptr;

  std::string where() const;   ///< "FILE, tensor NAME", for errors
  std::size_t offset() const;  ///< of the first byte in the file
};

class SafetensorsFile {
 public:
  /// Checks the whole header: its length, types, shapes against offsets, ranges within the file, no overlaps, no holes.
  /// Tensors of other types are kept by name only (using one is an error). Throws UserError.
  explicit SafetensorsFile(const std::filesystem::path& path);

  /// Null when there is no such tensor. Throws UserError when it has a type that is not supported.
  const StoredTensor* find(const std::string& name) const;
  bool contains(const std::string& name) const { return tensors_.contains(name) || unsupported_.contains(name); }
  std::vector<std::string> names() const;
  const std::filesystem::path& path() const { return file_->path(); }

 private:
  std::unique_ptr<MappedFile> file_;
  std::map<std::string, StoredTensor> tensors_;
  std::map<std::string, std::string> unsupported_;  // name -> dtype
};

}  // namespace specthink::inline model
