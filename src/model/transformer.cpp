#include "specthink/model/transformer.h"

#include <ATen/ATen.h>

#include "model/attention.h"
#include "model/checkpoint/stored_names.h"
#include "model/checkpoint/weights.h"
#include "model/fused_forward.h"
#include "model/kv_cache.h"
#include "model/linear.h"
#include "specthink/base/error.h"
#include "specthink/model/memory_plan.h"

namespace specthink::inline model {
namespace {

ModelConfig settled(const std::filesystem::path& folder, ModelConfig config, bool dummy_weights) {
  if (!dummy_weights) settle_names(config, Checkpoint::open(folder));
  return config;
}

/// cos and sin of every position, in the form that rotate() takes: both halves of a head, the sine negated in the
/// first. Pairs that do not rotate have an angle of zero (model/checkpoint/weights.cpp puts them behind those that do).
RopeTables rope_tables(const ModelDescription& model, std::int64_t positions, at::TensorOptions options) {
  const RopeFrequencies frequencies = rope_frequencies(model);
  const auto count = static_cast<std::int64_t>(frequencies.inverse.size());
  const at::Tensor inverse = at::tensor(at::ArrayRef<float>(frequencies.inverse.data(), frequencies.inverse.size()));
  const at::Tensor angles =
      at::arange(positions, at::kFloat).unsqueeze(1) * inverse.view({1, count});  // [positions, rotary_dim / 2]
  const at::Tensor still = at::zeros({positions, model.head_dim / 2 - count});
  const at::Tensor cos = at::cat({angles.cos() * frequencies.attention_factor, still + 1}, 1);
  const at::Tensor sin = at::cat({angles.sin() * frequencies.attention_factor, still}, 1);
  return {at::cat({cos, cos}, 1).to(options), at::cat({-sin, sin}, 1).to(options)};
}

/// Rotary embedding of [rows, heads, head_dim]: (x1, x2) -> (x1·cos − x2·sin, x2·cos + x1·sin) for the two halves of a
/// head.
at::Tensor rotate(const at::Tensor& heads, const at::Tensor& cos, const at::Tensor& sin) {
  return at::addcmul(heads * cos, heads.roll(heads.size(2) / 2, 2), sin);
}

}  // namespace

Transformer::Transformer(const std::filesystem::path& folder, ModelConfig config, Collectives& collectives,
                         const Options& options)
    : config_(settled(folder, std::move(config), options.dummy_weights)),
      plan_(config_, collectives.rank(), collectives.ranks()),
      options_(options),
      collectives_(collectives) {
  const at::ScalarType type = scalar_type(options.dtype);
  ModelWeights weights =
      options.dummy_weights
          ? dummy_weights(config_, plan_, options.dtype, options.device, options.dummy_seed, options.on_layer)
          : load_weights(Checkpoint::open(folder), config_, plan_, options.dtype, options.device, options.on_layer);
  cache_ = std::make_unique<KvCache>(config_, plan_, options.pages, type, options.device);
  const std::int64_t most = options.pages * kPageTokens;
  const std::int64_t positions = options.max_positions > 0 ? std::min(most, options.max_positions) : most;
  shard_ = {.part = plan_.part_of(config_),
            .first_vocab = plan_.first_vocab,
            .kv_head_of = at::tensor(at::ArrayRef<std::int64_t>(plan_.kv_head_of)).to(options.device),
            .uniform_groups = plan_.uniform_groups(),
            .weights = std::move(weights),
            .rope = rope_tables(config_, positions, at::TensorOptions(options.device).dtype(type)),
            .cache = cache_->storage(),
            .page_tables = cache_->page_tables()};
  const auto fits = [](const LayerWeights& layer) {
    return FusedForward::takes(layer.qkv) && FusedForward::takes(layer.output) && FusedForward::takes(layer.gate_up) &&
           FusedForward::takes(layer.down);
  };
  if (options.fused_prefill && !config_.has_windows() && prefill_ops::available(options.device, type) &&
      std::ranges::all_of(shard_.weights.layers, fits)) {
    fused_ = std::make_unique<FusedForward>(shard_, *cache_, collectives_, options.peer_sum);
    fused_->reserve(options.prefill_rows);
  }
}

Transformer::~Transformer() = default;

void Transformer::check_folder(const std::filesystem::path& folder, ModelConfig& config, const ShardPlan& plan) {
  const Checkpoint checkpoint = Checkpoint::open(folder);
  settle_names(config, checkpoint);
  check_weights(checkpoint, config, plan);
}

std::int64_t Transformer::num_pages() const { return cache_->num_pages(); }

void Transformer::set_pages(int slot, std::span<const std::int32_t> pages) { cache_->set_pages(slot, pages); }

void Transformer::copy_page(std::int32_t from, std::int32_t to, std::int64_t positions) {
  cache_->copy_page(from, to, positions);
}

std::int64_t Transformer::cache_bytes() const { return cache_->bytes(); }

std::int64_t Transformer::weight_bytes() const { return shard_.part.weight_bytes(size_of(options_.dtype)); }

void Transformer::check_arrived() const {
  if (options_.peer_sum) options_.peer_sum->check_arrived();
}

at::Tensor Transformer::embed(const at::Tensor& tokens) const {
  if (plan_.ranks == 1) return shard_.weights.embedding.index_select(0, tokens);
  // Each rank looks up the ids that it holds; the others' rows are zero, and the sum over ranks is the embedding.
  const at::Tensor local = tokens - plan_.first_vocab;
  const at::Tensor elsewhere = at::logical_or(local < 0, local >= plan_.vocab_local);
  at::Tensor rows = shard_.weights.embedding.index_select(0, local.clamp(0, plan_.vocab_local - 1));
  rows.masked_fill_(elsewhere.unsqueeze(1), 0);
  collectives_.all_reduce(rows);
  return rows;
}

void Transformer::check_rows(std::span<const SlotRows> batch) const {
  check(!batch.empty(), "a forward step without rows");
  for (const SlotRows& rows : batch) {
    const auto count = static_cast<std::int64_t>(rows.tokens.size());
    check(rows.slot >= 0 && rows.slot < kMaxSequences && count > 0 && rows.first_position >= 0 &&
              rows.first_position + count <= std::min(cache_->capacity(rows.slot), shard_.rope.cos.size(0)),
          "rows outside their pages of the KV cache");
  }
}

at::Tensor Transformer::forward(std::span<const SlotRows> batch) {
  check_rows(batch);
  if (fused_) return fused_->run(batch);
  return run_operators(batch);
}

at::Tensor Transformer::prefill(const SlotRows& rows) {
  const std::span<const SlotRows> batch(&rows, 1);
  check_rows(batch);
  if (fused_) return fused_->run_for_last(rows);
  const at::Tensor hidden = run_operators(batch);
  return hidden.narrow(0, hidden.size(0) - 1, 1);
}

at::Tensor Transformer::run_operators(std::span<const SlotRows> batch) {
  std::vector<std::int64_t> tokens;
  std::vector<at::Tensor> cos_parts;
  std::vector<at::Tensor> sin_parts;
  for (const SlotRows& rows : batch) {
    const auto count = static_cast<std::int64_t>(rows.tokens.size());
    tokens.insert(tokens.end(), rows.tokens.begin(), rows.tokens.end());
    cos_parts.push_back(shard_.rope.cos.narrow(0, rows.first_position, count));
    sin_parts.push_back(shard_.rope.sin.narrow(0, rows.first_position, count));
  }
  const at::Tensor cos = (batch.size() == 1 ? cos_parts[0] : at::cat(cos_parts)).unsqueeze(1);  // [rows, 1, head_dim]
  const at::Tensor sin = (batch.size() == 1 ? sin_parts[0] : at::cat(sin_parts)).unsqueeze(1);
  const at::Tensor ids = at::tensor(at::ArrayRef<std::int64_t>(tokens)).to(options_.device);

  at::Tensor hidden = embed(ids);  // [rows, hidden]
  for (std::int64_t layer = 0; layer < config_.num_layers; ++layer) {
    hidden.add_(attend(layer, hidden, batch, cos, sin));
    hidden.add_(feed_forward(layer, hidden));
  }
  return at::rms_norm(hidden, {config_.hidden_size}, shard_.weights.final_norm, config_.rms_norm_eps);
}

at::Tensor Transformer::attend(std::int64_t layer, const at::Tensor& hidden, std::span<const SlotRows> batch,
                               const at::Tensor& cos, const at::Tensor& sin) {
  const LayerWeights& weights = shard_.weights.layers[static_cast<std::size_t>(layer)];
  const ModelDescription& part = shard_.part;
  const std::int64_t heads = part.num_heads;
  const std::int64_t kv_heads = part.num_kv_heads;
  const at::Tensor input = at::rms_norm(hidden, {part.hidden_size}, weights.input_norm, part.rms_norm_eps);
  const at::Tensor qkv = specthink::linear(input, weights.qkv, weights.qkv_bias)
                             .view({hidden.size(0), heads + 2 * kv_heads, part.head_dim});
  at::Tensor query_key = qkv.narrow(1, 0, heads + kv_heads);  // normed and rotated alike
  if (part.qk_norm) {
    query_key = at::rms_norm(query_key, {part.head_dim}, {}, part.rms_norm_eps) * weights.qk_norm;
  }
  query_key = rotate(query_key, cos, sin);
  const at::Tensor queries = query_key.narrow(1, 0, heads);      // [rows, heads_local, head_dim]
  const at::Tensor keys = query_key.narrow(1, heads, kv_heads);  // [rows, kv_heads_local, head_dim]
  const at::Tensor values = qkv.narrow(1, heads + kv_heads, kv_heads);

  std::vector<at::Tensor> parts;
  std::int64_t row = 0;
  for (const SlotRows& rows : batch) {
    const auto count = static_cast<std::int64_t>(rows.tokens.size());
    cache_->store(layer, rows.slot, rows.first_position, keys.narrow(0, row, count), values.narrow(0, row, count));
    parts.push_back(attend_slot(layer, queries.narrow(0, row, count), rows));
    row += count;
  }
  const at::Tensor attended = parts.size() == 1 ? parts[0] : at::cat(parts);
  at::Tensor output = specthink::linear(attended.reshape({hidden.size(0), part.query_width()}), weights.output);
  collectives_.all_reduce(output);
  if (weights.output_bias.defined()) output.add_(weights.output_bias);
  return output;
}

at::Tensor Transformer::attend_slot(std::int64_t layer, const at::Tensor& queries, const SlotRows& rows) const {
  const std::int64_t length = rows.first_position + queries.size(0);
  return causal_attention(queries, cache_->keys(layer, rows.slot, length), cache_->values(layer, rows.slot, length),
                          shard_.kv_head_of, shard_.uniform_groups, config_.attention_scale(), config_.window(layer));
}

at::Tensor Transformer::feed_forward(std::int64_t layer, const at::Tensor& hidden) const {
  const LayerWeights& weights = shard_.weights.layers[static_cast<std::size_t>(layer)];
  const ModelDescription& part = shard_.part;
  const at::Tensor input = at::rms_norm(hidden, {part.hidden_size}, weights.post_norm, part.rms_norm_eps);
  const at::Tensor gate_up = specthink::linear(input, weights.gate_up);  // [rows, 2·intermediate_local]
  const at::Tensor gate = gate_up.narrow(1, 0, part.intermediate_size);
  const at::Tensor up = gate_up.narrow(1, part.intermediate_size, part.intermediate_size);
  at::Tensor output = specthink::linear(at::silu(gate).mul_(up), weights.down);
  collectives_.all_reduce(output);
  return output;
}

at::Tensor Transformer::local_logits(const at::Tensor& hidden) const {
  const std::int64_t valid = std::clamp<std::int64_t>(config_.vocab_size - plan_.first_vocab, 0, plan_.vocab_local);
  return specthink::linear(hidden, shard_.weights.head).narrow(1, 0, valid).to(at::kFloat);
}

}  // namespace specthink::inline model
