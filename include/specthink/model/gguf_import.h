// A GGUF file as a Hugging Face folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "specthink/config/settings.h"

namespace specthink::inline model {

struct GgufImport {
  std::int64_t tensors = 0;
  std::int64_t bytes = 0;  ///< of weights, as written
};

/// Writes config.json, generation_config.json, model.safetensors (`dtype`; block types dequantised in float32 first),
/// tokenizer.json and tokenizer_config.json into `folder`, which must not exist or be empty. The weights go one tensor
/// at a time; the folder appears when all of it is there. `on_tensor` sees what is done of all before each tensor.
///
/// Throws UserError: a file that is no GGUF file, is cut short, or whose lengths do not add up; an architecture, a type
/// or a tokenizer that is not supported; tensors that are missing or do not fit the metadata; a folder with files.
/// Throws EnvironmentError when the disk is full.
GgufImport import_gguf(const std::filesystem::path& file, const std::filesystem::path& folder, DType dtype,
                       const std::function<void(std::int64_t done, std::int64_t all)>& on_tensor = {});

}  // namespace specthink::inline model
