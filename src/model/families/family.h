// What the models of a family have in common. A family is a page, families/<name>.cpp, and a line in families.cpp;
// nothing else asks for a family's name.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "model/description/config_reader.h"
#include "specthink/base/types.h"
#include "specthink/kernels/model_description.h"
#include "specthink/model/tensor_names.h"

namespace specthink::inline model {

/// How a family says which of its layers see only a window of positions.
enum class Windows {
  none,            ///< it has no such key
  all_layers,      ///< sliding_window counts for every layer
  by_layer_types,  ///< sliding_window counts with use_sliding_window, for the layers of layer_types, else from
                   ///< max_window_layers on
};

struct Family {
  std::string model_type;    ///< of config.json
  std::string architecture;  ///< stands in for a missing model_type

  // The defaults of the family's configuration class in transformers, for keys that config.json leaves out. The five
  // sizes that make a model what it is must be in the file.
  std::optional<std::int64_t> default_kv_heads = {};  ///< none: as many as query heads
  std::optional<std::int64_t> default_head_dim = {};  ///< none: hidden size / query heads
  std::int64_t default_max_position_embeddings = 0;
  double default_rms_norm_eps = 1e-6;
  std::optional<TokenId> default_eos_id = {};
  std::optional<std::int64_t> default_window = {};

  Windows windows = Windows::by_layer_types;
  bool rotates_part_of_head = false;  ///< takes partial_rotary_factor
  bool longrope_alone = false;        ///< the only scaled rope is longrope, which su and yarn are older names of
  /// The context before it was stretched, for a config.json that does not say it at the top; none: the settings of the
  /// rope do.
  std::optional<std::int64_t> default_original_context = {};

  TensorNames tensors = {};

  /// Sets what the family alone decides, by config.json or always (norms, biases), in a description whose sizes are
  /// there. Throws UserError for what the family can but this program cannot.
  void (*describe)(const ConfigReader& config, ModelDescription& model) = nullptr;
};

/// The families that this program runs.
std::span<const Family> supported_families();

Family llama();
Family mistral();
Family phi3();
Family qwen2();
Family qwen3();

}  // namespace specthink::inline model
