// What the models of a family have in common. A family is a page, families/<name>.cpp, and a line in families.cpp;
// nothing else asks for a family's name.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "model/config_reader.h"
#include "specthink/kernels/model_description.h"
#include "specthink/model/tensor_names.h"

namespace specthink::inline model {

struct Family {
  std::string model_type;    ///< of config.json
  std::string architecture;  ///< stands in for a missing model_type

  // The defaults of the family's configuration class in transformers, for keys that config.json leaves out. The five
  // sizes that make a model what it is must be in the file.
  std::optional<std::int64_t> default_kv_heads = {};  ///< none: as many as query heads
  std::optional<std::int64_t> default_head_dim = {};  ///< none: hidden size / query heads
  std::int64_t default_max_position_embeddings = 0;

  TensorNames tensors = {};

  /// Sets what the family alone decides, by config.json or always (norms, biases), in a description whose sizes are
  /// there. Throws UserError for what the family can but this program cannot.
  void (*describe)(const ConfigReader& config, ModelDescription& model) = nullptr;
};

/// The families that this program runs.
std::span<const Family> supported_families();

Family qwen3();

}  // namespace specthink::inline model
