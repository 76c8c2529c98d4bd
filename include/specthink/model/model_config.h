// A model as its Hugging Face folder describes it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "specthink/base/json.h"
#include "specthink/base/types.h"
#include "specthink/config/settings.h"
#include "specthink/kernels/model_description.h"
#include "specthink/model/tensor_names.h"

namespace specthink::inline model {

struct Family;  // model/families/family.h

/// How the matrices of linear layers are stored, where that is in fewer bits. They are dequantised as they are loaded,
/// unless 8-bit floats stay what they are (ModelDescription::float8_linear).
struct Quantization {
  std::string method;                       ///< awq, gptq or fp8; empty: none
  std::string name;                         ///< for people: "AWQ, 4 bits, groups of 128"
  std::int64_t group_size = 0;              ///< awq, gptq: columns that share a scale; -1: all of them
  bool zeros_less_one = false;              ///< gptq: zero points are stored less one
  std::array<std::int64_t, 2> block{1, 1};  ///< fp8: rows and columns that share a scale

  bool is_any() const { return !method.empty(); }
};

/// The description with what else the folder says. Every field of the rope is checked, so that rope_frequencies()
/// cannot fail.
struct ModelConfig : ModelDescription {
  std::string model_type;  ///< the family's: qwen3, llama
  TensorNames tensors;     ///< under which the folder stores the weights
  Quantization quantization;
  /// generation_config.json's eos_token_id, else config.json's; a number or a list, empty when neither has one.
  /// Ids outside the vocabulary are left out with a warning: no model can produce them.
  TokenIds eos_ids;

  /// Reads config.json (the spelling of transformers 4: rope_theta, rope_scaling, torch_dtype; and of 5:
  /// rope_parameters, dtype) and generation_config.json, which may be missing, and is left out with a warning where it
  /// is no JSON. Throws UserError naming file and key.
  ///
  /// Every size is bounded, so that no product of them (weights, cache of a whole context, in bytes) overflows.
  static ModelConfig load(const std::filesystem::path& folder);

  /// The same for models of these families alone.
  static ModelConfig load(const std::filesystem::path& folder, std::span<const Family> families);

  /// `generation_config` is null where there is none; `folder` names the files in errors.
  static ModelConfig parse(const Json& config, const Json& generation_config, const std::string& folder);
  static ModelConfig parse(const Json& config, const Json& generation_config, const std::string& folder,
                           std::span<const Family> families);

  /// Settles how the weights are in memory, behind set_context(): float8_linear, and on GPUs, whose decode kernels have
  /// heads of 64 and 128 elements, whether heads are filled up with zeros (own_head_dim). Throws UserError where the
  /// model cannot have 8-bit floats and is to have them.
  void set_layout(WeightPrecision choice, DType dtype, bool on_gpu);
  bool keeps_quantization() const { return float8_linear && quantization.method == "fp8"; }

  /// Settles what depends on the longest sequence that will be run: the angles of a dynamic or long rope, and windows
  /// that no sequence reaches, which are dropped.
  void set_context(std::int64_t tokens);
};

/// Angle per position of each rotated pair, and the factor on cos and sin (1 but for yarn and longrope).
/// As transformers' ROPE_INIT_FUNCTIONS compute them, in float32.
struct RopeFrequencies {
  std::vector<float> inverse;  // [rotary_dim / 2]
  float attention_factor = 1;
};
RopeFrequencies rope_frequencies(const ModelDescription& model);

}  // namespace specthink::inline model
