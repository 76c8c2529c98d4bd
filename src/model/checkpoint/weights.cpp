#include "model/checkpoint/weights.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <utility>
#include <vector>

#include "model/checkpoint/weight_source.h"
#include "specthink/base/error.h"
#include "specthink/base/log.h"

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
  if (float8) {
    std::vector<Float8Part> parts;
    for (const ModuleRows& module : modules) parts.push_back(source.float8_matrix(module, columns, here));
    return stack_float8(parts);
  }
  std::vector<at::Tensor> parts;
  for (const ModuleRows& module : modules) parts.push_back(source.matrix(module, columns, here));
  return plain_matrix(parts.size() == 1 ? parts[0] : at::cat(parts));
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
  const std::int64_t head_dim = config.head_dim;
  const std::int64_t hidden = config.hidden_size;
  const Range heads{plan.first_head * head_dim, plan.num_heads_local * head_dim};
  const Range kv_heads{plan.first_kv_head * head_dim, plan.num_kv_heads_local * head_dim};
  const Range intermediate{plan.first_intermediate, plan.intermediate_local};
  std::vector<ModuleRows> qkv{{module(names.query), config.query_width(), heads},
                              {module(names.key), config.kv_width(), kv_heads},
                              {module(names.value), config.kv_width(), kv_heads}};
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
  layer.output = linear_matrix(source, float8, {to_hidden(names.output)}, config.query_width(), heads);
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

ModelWeights read_model(WeightSource& source, const ModelConfig& config, const ShardPlan& plan,
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
  }
  weights.final_norm = source.vector(config.tensors.final_norm, config.hidden_size);
  weights.head = plain_matrix(config.tie_word_embeddings ? weights.embedding : vocab_matrix(config.tensors.head));
  return weights;
}

/// Where only the first elements of a head rotate, the elements of query and key heads are put into another order: then
/// the whole head rotates, by an angle of zero where it should not, and nothing downstream sees a difference.
/// Attention is a sum over the elements of a head, in whatever order.
void spread_rotated_pairs(LayerWeights& layer, const ModelConfig& config, const ShardPlan& plan) {
  const std::int64_t half = config.head_dim / 2;
  const std::int64_t pairs = config.rotary_dim() / 2;
  const std::int64_t heads = plan.num_heads_local + plan.num_kv_heads_local;
  std::vector<std::int64_t> order;  // of a head's elements
  for (std::int64_t i = 0; i < config.head_dim; ++i) {
    const bool first_half = i < half;
    const bool rotates = i % half < pairs;
    if (first_half) {
      order.push_back(rotates ? i : i + pairs);
    } else {
      order.push_back(rotates ? i - half + pairs : i);
    }
  }
  const at::Tensor index = at::tensor(at::ArrayRef<std::int64_t>(order)).to(layer.qkv.data.device());
  const auto reorder = [&](at::Tensor& tensor) {  // [at least heads · head_dim, ...]
    at::Tensor rotated = tensor.narrow(0, 0, heads * config.head_dim);
    const at::Tensor by_head = rotated.view({heads, config.head_dim, -1}).index_select(1, index);
    rotated.copy_(by_head.view(rotated.sizes()));
  };
  reorder(layer.qkv.data);
  if (layer.qkv_bias.defined()) reorder(layer.qkv_bias);
  if (layer.qk_norm.defined()) layer.qk_norm = layer.qk_norm.index_select(1, index);
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
  read_model(*shape_check_source(checkpoint, config.quantization), config, plan);
}

std::vector<FilePart> planned_reads(const Checkpoint& checkpoint, const ModelConfig& config, const ShardPlan& plan) {
  std::vector<FilePart> parts;
  ModelConfig as_stored = config;
  as_stored.float8_linear = false;
  read_model(*read_plan_source(checkpoint, config.quantization, parts), as_stored, plan);
  return parts;
}

ModelWeights load_weights(const Checkpoint& checkpoint, const ModelConfig& config, const ShardPlan& plan, DType dtype,
                          c10::Device device, const LayerSink& on_layer) {
  const at::TensorOptions options = at::TensorOptions(device).dtype(scalar_type(dtype));
  if (config.quantization.is_any() && !config.keeps_quantization()) {
    spdlog::warn("{}: weights in {} are dequantised as they are loaded, and take the memory of the compute type",
                 config.source, config.quantization.name);
  }
  ReadAhead read_ahead(planned_reads(checkpoint, config, plan));
  ModelWeights weights =
      read_model(*checkpoint_source(checkpoint, config.quantization, options, &read_ahead), config, plan, on_layer);
  if (config.rotary_dim() < config.head_dim) {
    for (LayerWeights& layer : weights.layers) spread_rotated_pairs(layer, config, plan);
  }
  return weights;
}

ModelWeights dummy_weights(const ModelConfig& config, const ShardPlan& plan, DType dtype, c10::Device device,
                           std::uint64_t seed, const LayerSink& on_layer) {
  const at::TensorOptions options = at::TensorOptions(device).dtype(scalar_type(dtype));
  return read_model(*random_source(options, seed), config, plan, on_layer);
}

}  // namespace specthink::inline model
