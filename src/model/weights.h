// A rank's part of a model's weights, laid out for the forward pass.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "specthink/config/settings.h"
#include "specthink/model/checkpoint.h"
#include "specthink/model/model_config.h"
#include "specthink/model/shard_plan.h"

namespace specthink {

/// All matrices are [output, input] in the compute type, as linear layers take them.
struct LayerWeights {
  at::Tensor input_norm;  // [hidden]
  at::Tensor qkv;       // [(heads_local + 2·kv_heads_local)·head_dim, hidden]: query, key, value heads in this order
  at::Tensor qkv_bias;  // the same rows; undefined: none
  at::Tensor qk_norm;   // [heads_local + kv_heads_local, head_dim]: the norm's weight for each head; undefined without
  at::Tensor output;    // [hidden, heads_local·head_dim]
  at::Tensor output_bias;  // [hidden]; undefined: none
  at::Tensor post_norm;    // [hidden]
  at::Tensor gate_up;      // [2·intermediate_local, hidden]: gate rows, then up rows
  at::Tensor down;         // [hidden, intermediate_local]
};

struct ModelWeights {
  at::Tensor embedding;  // [vocab_local, hidden]
  std::vector<LayerWeights> layers;
  at::Tensor final_norm;  // [hidden]
  at::Tensor head;        // [vocab_local, hidden]; the embedding itself when tied
};

/// Sees the number of each layer before it is loaded.
using LayerSink = std::function<void(std::int64_t layer)>;

/// Throws what load_weights would throw for a missing tensor or a wrong shape, without reading any data.
void check_weights(const Checkpoint& checkpoint, const ModelConfig& config, const ShardPlan& plan);

/// Copies this rank's slices from the checkpoint to the device, one tensor at a time. Throws UserError for a missing
/// tensor or a wrong shape, before anything of it is read.
ModelWeights load_weights(const Checkpoint& checkpoint, const ModelConfig& config, const ShardPlan& plan, DType dtype,
                          c10::Device device, const LayerSink& on_layer = {});

/// Random weights of the same shapes, made on the device; the same model for any number of ranks.
ModelWeights dummy_weights(const ModelConfig& config, const ShardPlan& plan, DType dtype, c10::Device device,
                           std::uint64_t seed, const LayerSink& on_layer = {});

at::ScalarType scalar_type(DType type);

}  // namespace specthink
