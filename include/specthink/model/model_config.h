// The shape of a transformer, from a Hugging Face folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "specthink/base/json.h"
#include "specthink/base/types.h"

namespace specthink {

/// Rotary position embedding, with transformers' defaults filled in. Every field is checked by ModelConfig::parse, so
/// that rope_frequencies() cannot fail.
struct RopeConfig {
  std::string type = "default";  ///< default, linear, llama3 or yarn
  double theta = 10000;
  double factor = 1;                                  ///< linear, llama3, yarn
  std::int64_t original_max_position_embeddings = 0;  ///< llama3, yarn: the context before it was stretched
  double low_freq_factor = 1;                         ///< llama3
  double high_freq_factor = 4;                        ///< llama3
  double beta_fast = 32;                              ///< yarn
  double beta_slow = 1;                               ///< yarn
  bool truncate = true;                               ///< yarn: round the ends of the ramp to whole dimensions
  double attention_factor = 1;                        ///< yarn: on cos and sin; from mscale or factor when not given
};

struct ModelConfig {
  std::string source;      ///< the folder, for messages
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
  /// generation_config.json's eos_token_id, else config.json's; a number or a list, empty when neither has one.
  /// Ids outside the vocabulary are left out with a warning: no model can produce them.
  TokenIds eos_ids;

  std::int64_t group_size() const { return num_heads / num_kv_heads; }  ///< query heads that share a KV head

  /// Weights of the whole model (every tensor once; a tied head is not counted again).
  std::int64_t num_parameters() const;

  /// Reads config.json (the spelling of transformers 4: rope_theta, rope_scaling, torch_dtype; and of 5:
  /// rope_parameters, dtype) and generation_config.json, which may be missing. Throws UserError naming file and key.
  ///
  /// Every size is bounded, so that no product of them (weights, cache of a whole context, in bytes) overflows.
  static ModelConfig load(const std::filesystem::path& folder);

  /// `generation_config` is null where there is none; `folder` names the files in errors.
  static ModelConfig parse(const Json& config, const Json& generation_config, const std::string& folder);
};

/// Angle per position of each rotated pair, and the factor on cos and sin (1 but for yarn).
/// As transformers' ROPE_INIT_FUNCTIONS compute them, in float32.
struct RopeFrequencies {
  std::vector<float> inverse;  // [head_dim / 2]
  float attention_factor = 1;
};
RopeFrequencies rope_frequencies(const ModelConfig& config);

}  // namespace specthink
