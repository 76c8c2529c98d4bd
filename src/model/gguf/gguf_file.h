// A GGUF file, mapped: metadata, and tensors in the block types of ggml. The format is in ggml's docs/gguf.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/gguf/ggml_types.h"
#include "specthink/base/file.h"
#include "specthink/base/json.h"

namespace specthink::inline model::gguf {

/// Valid as long as the file object.
struct Tensor {
  std::string name;
  const GgmlType* type = nullptr;
  std::vector<std::int64_t> shape;  ///< outermost first, as LibTorch has it (the file has it the other way round)
  std::span<const std::byte> bytes;

  std::int64_t elements() const;
};

class GgufFile {
 public:
  /// Checks the header, every length, type and offset, and that the tensors lie in the file without an overlap. Throws
  /// UserError naming the file, the place, what was expected and found.
  explicit GgufFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_->path(); }

  /// Values by key: numbers, booleans, strings and lists.
  const Json& metadata() const { return metadata_; }

  const std::map<std::string, Tensor>& tensors() const { return tensors_; }
  const Tensor* find(const std::string& name) const;  ///< null when there is no such tensor

  /// Tells the system that the tensor will not be read again soon.
  void release(const Tensor& tensor) const;

 private:
  std::unique_ptr<MappedFile> file_;
  Json metadata_;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace specthink::inline model::gguf
