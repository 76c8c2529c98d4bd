#include "model/kv_cache.h"
#include "model/weights.h"
#include "specthink/model/transformer.h"

namespace specthink {

StepModel Transformer::step_model() const {
  StepModel model;
  model.embedding = weights_->embedding;
  for (const LayerWeights& weights : weights_->layers) {
    StepLayer layer;
    layer.input_norm = weights.input_norm;
    layer.qkv = weights.qkv;
    layer.qkv_bias = weights.qkv_bias;
    layer.qk_norm = weights.qk_norm;
    layer.output = weights.output;
    layer.output_bias = weights.output_bias;
    layer.post_norm = weights.post_norm;
    layer.gate_up = weights.gate_up;
    layer.down = weights.down;
    model.layers.push_back(std::move(layer));
  }
  model.final_norm = weights_->final_norm;
  model.head = weights_->head;
  model.rope_cos = rope_cos_;
  model.rope_sin = rope_sin_;
  model.cache = cache_->storage();
  model.heads = plan_.num_heads_local;
  model.kv_heads = plan_.num_kv_heads_local;
  model.head_dim = config_.head_dim;
  model.first_vocab = plan_.first_vocab;
  model.uniform_groups = plan_.uniform_groups();
  model.rms_norm_eps = config_.rms_norm_eps;
  return model;
}

}  // namespace specthink
