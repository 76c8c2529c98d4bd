#include "model/checkpoint/weights.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <utility>
#include <vector>

#include "model/checkpoint/weight_source.h"
#include "specthink/base/error.h"
#include "specthink/base/log.h"
#include "specthink/comm/device.h"

namespace specthink::inline model {
namespace {

WeightType weight_type(at::ScalarType type) {
  switch (type) {
    case at::kBFloat16:
      return WeightType::bfloat16;
    case at::kHalf:
      return WeightType::float16;
    case at::kFloat:
      return WeightType::float32;
    default:
      throw InternalError("weights of an unknown type");
  }
}

WeightMatrix plain_matrix(at::Tensor data) {
  const WeightType type = weight_type(data.scalar_type());
  return {.data = std::move(data), .type = type};
}

/// The modules one below the other, some columns of them.
WeightMatrix linear_matrix(WeightSource& source, bool float8, const std::vector<ModuleRows>& modules,
                           std::int64_t columns, Range here) {
  std::int64_t rows = 0;
  for (const ModuleRows& module : modules) rows += module.here.count;
  // What quantising has left is larger than most matrices: the allocator would cut them from it and keep the rest.
  if (float8) release_unused_memory(source.options().device());
  at::Tensor all = at::empty({rows, here.count}, float8 ? source.options().dtype(at::kByte) : source.options());
  std::vector<Float8Part> parts;
  rows = 0;
  for (const ModuleRows& module : modules) {
    const at::Tensor out = all.narrow(0, rows, module.here.count);
    rows += module.here.count;
    if (float8) {
      parts.push_back(source.float8_matrix(module, columns, here, out));
    } else {
      source.read_matrix(module, columns, here, out);
    }
  }
  return float8 ? stack_float8(parts, all) : plain_matrix(std::move(all));
}

at::Tensor stack_bias(WeightSource& source, const std::vector<ModuleRows>& parts) {
  std::vector<at::Tensor> vectors;
  for (const ModuleRows& part : parts) vectors.push_back(source.bias(part));
  return at::cat(vectors);
}

/// The parts of a linear layer as parts of one stored tensor, in which they stand one below the other.
std::vector<ModuleRows> fused(const std::string& module, std::vector<ModuleRows> parts) {
  std::int64_t rows = 0;
  for (ModuleRows& part : parts) {
    part.module = module;
    part.first = rows;
    rows += part.rows;
  }
  for (ModuleRows& part : parts) part.stored_rows = rows;
  return parts;
}

LayerWeights read_layer(WeightSource& source, const ModelConfig& config, const ShardPlan& plan, std::int64_t index) {
  const auto module = [&](const std::string& name) {
    return fmt::format("{}.{}.{}", config.tensors.layers, index, name);
  };
  const TensorNames& names = config.tensors;
  const std::int64_t head_dim = config.head_elements();
  const std::int64_t query_width = config.num_heads * head_dim;
  const std::int64_t kv_width = config.num_kv_heads * head_dim;
  const std::int64_t hidden = config.hidden_size;
  const Range heads{plan.first_head * head_dim, plan.num_heads_local * head_dim};
  const Range kv_heads{plan.first_kv_head * head_dim, plan.num_kv_heads_local * head_dim};
  const Range intermediate{plan.first_intermediate, plan.intermediate_local};
  std::vector<ModuleRows> qkv{{module(names.query), query_width, heads},
                              {module(names.key), kv_width, kv_heads},
                              {module(names.value), kv_width, kv_heads}};
  std::vector<ModuleRows> gate_up{{module(names.gate), config.intermediate_size, intermediate},
                                  {module(names.up), config.intermediate_size, intermediate}};
  if (!names.fused_qkv.empty()) qkv = fused(module(names.fused_qkv), qkv);
  if (!names.fused_gate_up.empty()) gate_up = fused(module(names.fused_gate_up), gate_up);
  const auto to_hidden = [&](const std::string& name) { return ModuleRows{module(name), hidden, {0, hidden}}; };

  LayerWeights layer;
  layer.input_norm = source.vector(module(names.input_norm), hidden);
  const bool float8 = config.float8_linear;
  layer.qkv = linear_matrix(source, float8, qkv, hidden, {0, hidden});
  if (config.qkv_bias) layer.qkv_bias = stack_bias(source, qkv);
  layer.output = linear_matrix(source, float8, {to_hidden(names.output)}, query_width, heads);
  if (config.output_bias) layer.output_bias = source.bias(to_hidden(names.output));
  if (config.qk_norm) {
    const at::Tensor query_norm = source.vector(module(names.query_norm), head_dim);
    const at::Tensor key_norm = source.vector(module(names.key_norm), head_dim);
    layer.qk_norm = at::cat(
        {query_norm.expand({plan.num_heads_local, head_dim}), key_norm.expand({plan.num_kv_heads_local, head_dim})});
  }
  layer.post_norm = source.vector(module(names.post_norm), hidden);
  layer.gate_up = linear_matrix(source, float8, gate_up, hidden, {0, hidden});
  layer.down = linear_matrix(source, float8, {to_hidden(names.down)}, config.intermediate_size, intermediate);
  return layer;
}

/// Whether a head's elements have other places in memory than in the checkpoint.
bool arranges_heads(const ModelConfig& config) { return config.rotary_dim() < config.head_dim; }

/// Place in memory of each stored element of a head of queries and keys. Elements rotate in pairs that are half a head
/// apart; where only the first ones rotate, or a head is filled up with zeros, these are moved to where such pairs are,
/// and the whole head rotates, the others by an angle of zero. Attention is a sum over the elements of a head, in
/// whatever order, and zeros add nothing to it.
std::vector<std::int64_t> places_of_elements(const ModelConfig& config) {
  const std::int64_t half = config.head_dim / 2;
  const std::int64_t pairs = config.rotary_dim() / 2;
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < pairs; ++i) places.push_back(i);
  for (std::int64_t i = 0; i < pairs; ++i) places.push_back(half + i);
  for (std::int64_t i = pairs; i < config.head_dim && std::cmp_less(places.size(), config.head_elements()); ++i) {
    if (i % half >= pairs) places.push_back(i);
  }
  return places;
}

/// Puts the heads of a layer as they are in its checkpoint where the model has them in memory.
void arrange_heads(LayerWeights& layer, const ModelConfig& config, const ShardPlan& plan) {
  const std::int64_t elements = config.head_elements();
  const std::int64_t query_key_heads = plan.num_heads_local + plan.num_kv_heads_local;
  const std::vector<std::int64_t> places = places_of_elements(config);
  const at::Tensor place = at::tensor(at::ArrayRef<std::int64_t>(places)).to(layer.qkv.data.device());
  const at::Tensor first = at::arange(elements, place.options());
  // [heads · elements, ...] -> [heads · head_dim, ...]
  const auto spread = [&](const at::Tensor& heads, const at::Tensor& to) {
    const std::int64_t count = heads.size(0) / elements;
    at::Tensor spread = at::zeros({count, config.head_dim, heads.numel() / heads.size(0)}, heads.options());
    spread.index_copy_(1, to, heads.reshape({count, elements, -1}));
    return heads.dim() == 1 ? spread.view({-1}) : spread.view({count * config.head_dim, -1});
  };
  const auto spread_qkv = [&](const at::Tensor& rows) {
    const std::int64_t query_keys = query_key_heads * elements;
    return at::cat({spread(rows.narrow(0, 0, query_keys), place),
                    spread(rows.narrow(0, query_keys, rows.size(0) - query_keys), first)});
  };
  layer.qkv.data = spread_qkv(layer.qkv.data);
  if (layer.qkv_bias.defined()) layer.qkv_bias = spread_qkv(layer.qkv_bias);
  if (layer.qk_norm.defined()) {
    check(elements == config.head_dim, "a norm over heads that are filled up");
    layer.qk_norm = spread(layer.qk_norm.view({-1}), place).view_as(layer.qk_norm);
  }
  if (elements < config.head_dim) layer.output.data = spread(layer.output.data.t(), first).t().contiguous();
}

using LayerSink = std::function<void(std::int64_t layer)>;

/// `is_dry`: the source has no data, and the shapes are those of the checkpoint.
ModelWeights read_model(WeightSource& source, const ModelConfig& config, const ShardPlan& plan, bool is_dry,
                        const LayerSink& on_layer = {}) {
  const auto vocab_matrix = [&](const std::string& module) {
    return source.matrix({module, config.vocab_size, {plan.first_vocab, plan.vocab_local}}, config.hidden_size,
                         {0, config.hidden_size});
  };
  ModelWeights weights;
  weights.embedding = vocab_matrix(config.tensors.embedding);
  for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
    if (on_layer) on_layer(layer);
    weights.layers.push_back(read_layer(source, config, plan, layer));
    if (!is_dry && arranges_heads(config)) arrange_heads(weights.layers.back(), config, plan);
  }
  weights.final_norm = source.vector(config.tensors.final_norm, config.hidden_size);
  weights.head = plain_matrix(config.tie_word_embeddings ? weights.embedding : vocab_matrix(config.tensors.head));
  return weights;
}

}  // namespace

at::ScalarType scalar_type(DType type) {
  switch (type) {
    case DType::bfloat16:
      return at::kBFloat16;
    case DType::float16:
      return at::kHalf;
    case DType::float32:
      return at::kFloat;
  }
  throw InternalError("unknown compute type");
}

void check_weights(const Checkpoint& checkpoint, const ModelConfig& config, const ShardPlan& plan) {
  read_model(*shape_check_source(checkpoint, config.quantization), config, plan, /*is_dry=*/true);
}

std::vector<StoredRows> planned_reads(const Checkpoint& checkpoint, const ModelConfig& config, const ShardPlan& plan) {
  std::vector<StoredRows> reads;
  read_model(*read_plan_source(checkpoint, config.quantization, reads), config, plan, /*is_dry=*/true);
  return reads;
}

ModelWeights load_weights(const Checkpoint& checkpoint, const ModelConfig& config, const ShardPlan& plan, DType dtype,
                          c10::Device device, const LoadSink& on_layer) {
  const at::TensorOptions options = at::TensorOptions(device).dtype(scalar_type(dtype));
  if (config.quantization.is_any() && !config.keeps_quantization()) {
    spdlog::warn("{}: weights in {} are dequantised as they are loaded, and take the memory of the compute type",
                 config.source, config.quantization.name);
  }
  StagedReader reader(planned_reads(checkpoint, config, plan), device);
  return read_model(*checkpoint_source(checkpoint, config.quantization, options, reader), config, plan,
                    /*is_dry=*/false, [&](std::int64_t layer) {
                      if (on_layer) on_layer({layer, reader.read_bytes(), reader.total_bytes()});
                    });
}

ModelWeights dummy_weights(const ModelConfig& config, const ShardPlan& plan, DType dtype, c10::Device device,
                           std::uint64_t seed, const LoadSink& on_layer) {
  const at::TensorOptions options = at::TensorOptions(device).dtype(scalar_type(dtype));
  return read_model(*random_source(options, seed), config, plan, /*is_dry=*/false, [&](std::int64_t layer) {
    if (on_layer) on_layer({.layer = layer});
  });
}

}  // namespace specthink::inline model
