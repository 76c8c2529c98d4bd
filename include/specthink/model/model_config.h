// The shape of a transformer, from a Hugging Face folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "specthink/base/json.h"
#include "specthink/base/types.h"

namespace specthink {

/// Rotary position embedding. `parameters` keeps what a scaled type needs (factor, original length, …).
struct RopeConfig {
  std::string type = "default";  ///< default, linear, llama3 or yarn
  double theta = 10000;
  Json parameters = Json::object();
};

struct ModelConfig {
  std::string model_type;  ///< qwen3
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t num_layers = 0;
  std::int64_t num_heads = 0;
  std::int64_t num_kv_heads = 0;  ///< divides num_heads
  std::int64_t head_dim = 0;      ///< even; not always hidden_size / num_heads
  std::int64_t vocab_size = 0;
  std::int64_t max_position_embeddings = 0;
  double rms_norm_eps = 1e-6;
  bool tie_word_embeddings = false;
  bool qk_norm = false;         ///< RMSNorm over head_dim of every query and key head, before the rotation
  bool attention_bias = false;  ///< biases of the q, k, v and o projections
  RopeConfig rope;
  TokenIds eos_ids;  ///< generation_config.json's eos_token_id, else config.json's; a number or a list

  std::int64_t group_size() const { return num_heads / num_kv_heads; }  ///< query heads that share a KV head

  /// Weights of the whole model (every tensor once; a tied head is not counted again).
  std::int64_t num_parameters() const;

  /// Reads config.json (the spelling of transformers 4: rope_theta, rope_scaling, torch_dtype; and of 5:
  /// rope_parameters, dtype) and generation_config.json. Throws UserError naming file and key.
  static ModelConfig load(const std::filesystem::path& folder);
  static ModelConfig parse(const Json& config, const Json& generation_config, const std::string& source);
};

/// Angle per position of each rotated pair, and the factor on cos and sin (1 but for yarn).
/// As transformers' ROPE_INIT_FUNCTIONS compute them, in float32.
struct RopeFrequencies {
  std::vector<float> inverse;  // [head_dim / 2]
  float attention_factor = 1;
};
RopeFrequencies rope_frequencies(const ModelConfig& config);

}  // namespace specthink
