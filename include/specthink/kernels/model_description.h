// A decoder-only transformer as data: all that operators, kernels, plans and benchmarks know of a model. Nothing here
// depends on the model's family; a rank's part of a model is described like a model of its own.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace specthink::inline kernels {

/// Rotary position embedding, with transformers' defaults filled in.
struct RopeConfig {
  std::string type = "default";  ///< default, linear, dynamic, llama3, yarn or longrope
  double theta = 10000;
  std::int64_t rotary_dim = 0;                        ///< elements of a head that rotate, the first ones; 0: all
  double factor = 1;                                  ///< linear, dynamic, llama3, yarn
  std::int64_t original_max_position_embeddings = 0;  ///< all but linear: the context before it was stretched
  double low_freq_factor = 1;                         ///< llama3
  double high_freq_factor = 4;                        ///< llama3
  double beta_fast = 32;                              ///< yarn
  double beta_slow = 1;                               ///< yarn
  bool truncate = true;                               ///< yarn: round the ends of the ramp to whole dimensions
  double attention_factor = 1;       ///< yarn, longrope: on cos and sin; from mscale or factor when not given
  std::vector<double> short_factor;  ///< longrope, [rotary_dim / 2]: for contexts within the original one
  std::vector<double> long_factor;   ///< the same for longer ones
  /// Dynamic, longrope: the longest sequence that will be run. The angles depend on it and are chosen once, so that
  /// no cached key is ever of other angles. 0: within the original context.
  std::int64_t context = 0;

  friend bool operator==(const RopeConfig&, const RopeConfig&) = default;
};

struct ModelDescription {
  std::string source = {};  ///< for messages: the folder, or the name of a model without one
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t num_layers = 0;
  std::int64_t num_heads = 0;
  std::int64_t num_kv_heads = 0;  ///< divides num_heads in a whole model
  std::int64_t head_dim = 0;      ///< in memory; even; not always hidden_size / num_heads
  std::int64_t own_head_dim = 0;  ///< without the zeros that fill a head up to head_dim; 0: there are none
  std::int64_t vocab_size = 0;
  std::int64_t max_position_embeddings = 0;
  double rms_norm_eps = 1e-6;
  bool tie_word_embeddings = false;  ///< the embedding table is the head's matrix too
  bool qk_norm = false;              ///< RMSNorm over head_dim of every query and key head, before the rotation
  bool qkv_bias = false;             ///< biases of the q, k and v projections
  bool output_bias = false;          ///< bias of the attention's output projection
  bool float8_linear = false;        ///< in memory the matrices of the layers are 8-bit floats with factors for blocks
  RopeConfig rope = {};
  /// For each layer, how many positions a token sees, itself included; 0: all before it. Empty: no layer has a window.
  std::vector<std::int64_t> windows = {};

  std::int64_t window(std::int64_t layer) const {
    return windows.empty() ? 0 : windows[static_cast<std::size_t>(layer)];
  }
  bool has_windows() const {
    return std::ranges::any_of(windows, [](std::int64_t window) { return window > 0; });
  }
  std::int64_t head_elements() const { return own_head_dim > 0 ? own_head_dim : head_dim; }  ///< that are not padding
  std::int64_t rotary_dim() const { return rope.rotary_dim > 0 ? rope.rotary_dim : head_elements(); }
  double attention_scale() const { return 1 / std::sqrt(static_cast<double>(head_elements())); }  ///< of the scores
  std::int64_t group_size() const { return num_heads / num_kv_heads; }  ///< query heads that share a KV head
  std::int64_t query_width() const { return num_heads * head_dim; }     ///< columns of the output projection
  std::int64_t kv_width() const { return num_kv_heads * head_dim; }     ///< elements of a token's keys in a layer
  std::int64_t qkv_width() const { return query_width() + 2 * kv_width(); }

  /// Weights of the largest matrix of a layer.
  std::int64_t largest_linear() const {
    return hidden_size * std::max({qkv_width(), query_width(), 2 * intermediate_size});
  }

  /// Weights of the layers' matrices, in memory.
  std::int64_t num_linear() const {
    return num_layers * hidden_size * (qkv_width() + query_width() + 3 * intermediate_size);
  }

  /// Bytes of all weights in memory, with elements of `element` bytes where they are not 8-bit floats.
  std::int64_t weight_bytes(std::int64_t element) const {
    constexpr std::int64_t kWeightsOfScale = 128 * 128;
    const std::int64_t linear = num_linear();
    const std::int64_t linear_bytes =
        float8_linear ? linear + linear / kWeightsOfScale * static_cast<std::int64_t>(sizeof(float)) : linear * element;
    return (num_weights() - linear) * element + linear_bytes;
  }

  /// Parameters of the whole model (every tensor once; a tied head is not counted again).
  std::int64_t num_parameters() const {
    ModelDescription own = *this;
    own.head_dim = head_elements();
    return own.num_weights();
  }

  friend bool operator==(const ModelDescription&, const ModelDescription&) = default;

 private:
  /// The same in memory, where heads may be filled up with zeros.
  std::int64_t num_weights() const {
    std::int64_t layer = 2 * hidden_size;  // norms
    if (qk_norm) layer += 2 * head_dim;
    if (qkv_bias) layer += qkv_width();
    if (output_bias) layer += hidden_size;
    const std::int64_t embedding = vocab_size * hidden_size;
    return num_linear() + num_layers * layer + (tie_word_embeddings ? 1 : 2) * embedding + hidden_size;
  }
};

}  // namespace specthink::inline kernels
