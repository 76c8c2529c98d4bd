#include "model/fused_forward.h"

#include <ATen/ATen.h>

#include <utility>

#include "model/attention.h"

namespace specthink {
namespace {

/// Token, position and cache row of each row, [3, rows] int64 on the device. The copy is queued: pinned memory, which
/// the allocator does not hand out again before the copy is done.
at::Tensor upload_rows(std::span<const SlotRows> batch, std::int64_t capacity, c10::Device device) {
  std::int64_t count = 0;
  for (const SlotRows& rows : batch) count += static_cast<std::int64_t>(rows.tokens.size());
  const at::Tensor host = at::empty({3, count}, at::TensorOptions(at::kLong).pinned_memory(true));
  auto* tokens = host.mutable_data_ptr<std::int64_t>();
  std::int64_t* positions = tokens + count;
  std::int64_t* cache_rows = positions + count;
  for (const SlotRows& rows : batch) {
    std::int64_t position = rows.first_position;
    for (const TokenId token : rows.tokens) {
      *tokens++ = token;
      *positions++ = position;
      *cache_rows++ = rows.slot * capacity + position;
      ++position;
    }
  }
  return host.to(device, /*non_blocking=*/true);
}

}  // namespace

struct FusedForward::Buffers {
  at::Tensor residual;   // [rows, hidden]: the hidden state
  at::Tensor delta;      // [rows, hidden]: what attention or feed-forward adds to it
  at::Tensor normed;     // [rows, hidden]
  at::Tensor qkv;        // [rows, (heads_local + 2·kv_heads_local)·head_dim]
  at::Tensor queries;    // [rows, heads_local, head_dim]
  at::Tensor gate_up;    // [rows, 2·intermediate_local]
  at::Tensor activated;  // [rows, intermediate_local]
};

FusedForward::FusedForward(const ModelConfig& config, const ShardPlan& plan, const ModelWeights& weights,
                           const KvCache& cache, prefill_ops::RopeTables rope, at::Tensor kv_head_of,
                           Collectives& collectives)
    : config_(config),
      plan_(plan),
      weights_(weights),
      collectives_(collectives),
      capacity_(cache.capacity()),
      rope_(std::move(rope)),
      kv_head_of_(std::move(kv_head_of)) {
  for (std::size_t i = 0; i < weights.layers.size(); ++i) {
    const LayerWeights& layer = weights.layers[i];
    const auto index = static_cast<std::int64_t>(i);
    layers_.push_back({.qkv = layer.qkv.t(),
                       .output = layer.output.t(),
                       .gate_up = layer.gate_up.t(),
                       .down = layer.down.t(),
                       .cached_keys = cache.all_keys(index),
                       .cached_values = cache.all_values(index)});
  }
}

at::Tensor FusedForward::run(std::span<const SlotRows> batch) {
  const at::TensorOptions options = weights_.embedding.options();
  const at::Tensor rows = upload_rows(batch, capacity_, options.device());
  const std::int64_t count = rows.size(1);
  const prefill_ops::RowPlaces places{rows.select(0, 1), rows.select(0, 2)};
  const std::int64_t heads = plan_.num_heads_local;
  const std::int64_t head_dim = config_.head_dim;
  Buffers buffers{
      .residual = at::empty({count, config_.hidden_size}, options),
      .delta = at::empty({count, config_.hidden_size}, options),
      .normed = at::empty({count, config_.hidden_size}, options),
      .qkv = at::empty({count, (heads + 2 * plan_.num_kv_heads_local) * head_dim}, options),
      .queries = at::empty({count, heads, head_dim}, options),
      .gate_up = at::empty({count, 2 * plan_.intermediate_local}, options),
      .activated = at::empty({count, plan_.intermediate_local}, options),
  };

  embed(rows.select(0, 0), buffers.residual);
  prefill_ops::rms_norm(buffers.residual, weights_.layers.front().input_norm, config_.rms_norm_eps, buffers.normed);
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
    const LayerWeights& weights = weights_.layers[layer];
    attend(layer, batch, places, buffers);
    prefill_ops::add_rms_norm(buffers.residual, buffers.delta, weights.output_bias, weights.post_norm,
                              config_.rms_norm_eps, buffers.normed);
    feed_forward(layer, buffers);
    const bool last = layer + 1 == layers_.size();
    prefill_ops::add_rms_norm(buffers.residual, buffers.delta, {},
                              last ? weights_.final_norm : weights_.layers[layer + 1].input_norm, config_.rms_norm_eps,
                              buffers.normed);
  }
  return buffers.normed;
}

/// Each rank looks up the ids that it holds; the sum over ranks is the embedding.
void FusedForward::embed(const at::Tensor& ids, at::Tensor& hidden) const {
  prefill_ops::embed_rows(ids, weights_.embedding, plan_.first_vocab, hidden);
  collectives_.all_reduce(hidden);
}

/// normed -> delta, without the bias of the output.
void FusedForward::attend(std::size_t layer, std::span<const SlotRows> batch, const prefill_ops::RowPlaces& places,
                          Buffers& buffers) {
  const LayerWeights& weights = weights_.layers[layer];
  Layer& views = layers_[layer];
  if (weights.qkv_bias.defined()) {
    at::addmm_out(buffers.qkv, weights.qkv_bias, buffers.normed, views.qkv);
  } else {
    at::mm_out(buffers.qkv, buffers.normed, views.qkv);
  }
  prefill_ops::qk_norm_rope_store(buffers.qkv, weights.qk_norm, config_.rms_norm_eps, rope_, places, buffers.queries,
                                  views.cached_keys, views.cached_values);

  std::vector<at::Tensor> parts;  // [rows of the slot, heads_local, head_dim]
  std::int64_t row = 0;
  for (const SlotRows& rows : batch) {
    const auto count = static_cast<std::int64_t>(rows.tokens.size());
    const std::int64_t first = rows.slot * capacity_;
    const std::int64_t length = rows.first_position + count;
    const at::Tensor queries = batch.size() == 1 ? buffers.queries : buffers.queries.narrow(0, row, count);
    parts.push_back(causal_attention(queries, views.cached_keys.narrow(0, first, length),
                                     views.cached_values.narrow(0, first, length), kv_head_of_,
                                     plan_.uniform_groups()));
    row += count;
  }
  const at::Tensor attended = parts.size() == 1 ? parts[0] : at::cat(parts);
  at::mm_out(buffers.delta, attended.reshape({row, plan_.num_heads_local * config_.head_dim}), views.output);
  collectives_.all_reduce(buffers.delta);
}

/// normed -> delta.
void FusedForward::feed_forward(std::size_t layer, Buffers& buffers) const {
  const Layer& views = layers_[layer];
  at::mm_out(buffers.gate_up, buffers.normed, views.gate_up);
  prefill_ops::silu_mul(buffers.gate_up, buffers.activated);
  at::mm_out(buffers.delta, buffers.activated, views.down);
  collectives_.all_reduce(buffers.delta);
}

}  // namespace specthink
