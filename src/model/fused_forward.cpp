#include "model/fused_forward.h"

#include <ATen/ATen.h>

#include <utility>

#include "model/attention.h"

namespace specthink::inline model {
namespace {

std::int64_t count_rows(std::span<const SlotRows> batch) {
  std::int64_t count = 0;
  for (const SlotRows& rows : batch) count += static_cast<std::int64_t>(rows.tokens.size());
  return count;
}

/// Token, position and cache row of each row, [3, rows] int64 on the device. The copy is queued: pinned memory, which
/// the allocator does not hand out again before the copy is done.
at::Tensor upload_rows(std::span<const SlotRows> batch, const KvCache& cache, c10::Device device) {
  const std::int64_t count = count_rows(batch);
  const at::Tensor host = at::empty({3, count}, at::TensorOptions(at::kLong).pinned_memory(true));
  auto* tokens = host.mutable_data_ptr<std::int64_t>();
  std::int64_t* positions = tokens + count;
  std::int64_t* cache_rows = positions + count;
  for (const SlotRows& rows : batch) {
    std::int64_t position = rows.first_position;
    for (const TokenId token : rows.tokens) {
      *tokens++ = token;
      *positions++ = position;
      *cache_rows++ = cache.row_of(rows.slot, position);
      ++position;
    }
  }
  return host.to(device, /*non_blocking=*/true);
}

}  // namespace

FusedForward::FusedForward(const LoadedShard& shard, const KvCache& cache, Collectives& collectives, PeerSum* peer_sum)
    : shard_(shard),
      part_(shard.part),
      weights_(shard.weights),
      collectives_(collectives),
      peer_sum_(peer_sum),
      cache_(cache) {
  if (part_.float8_linear) dequantized_ = at::empty({part_.largest_linear()}, weights_.embedding.options());
  for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
    const LayerWeights& layer = weights_.layers[i];
    const auto index = static_cast<std::int64_t>(i);
    layers_.push_back({.qkv = matrix_of(layer.qkv, PrefillLinear::Kind::plain),
                       .output = matrix_of(layer.output, PrefillLinear::Kind::plain),
                       .gate_up = matrix_of(layer.gate_up, PrefillLinear::Kind::gated),
                       .down = matrix_of(layer.down, PrefillLinear::Kind::plain),
                       .cached_keys = cache.all_keys(index),
                       .cached_values = cache.all_values(index)});
  }
  if (!shard.uniform_groups) return;
  std::vector<PrefillAttention::Layer> planes;
  for (const Layer& layer : layers_) planes.push_back({layer.cached_keys, layer.cached_values});
  attention_ = PrefillAttention::create(planes, part_.attention_scale());
}

bool FusedForward::takes(const WeightMatrix& weights) {
  constexpr std::int64_t kVector = 16;  // of prefill_ops::dequantize
  return weights.type != WeightType::float8 ||
         (weights.data.size(1) % kVector == 0 && weights.scale_columns % kVector == 0);
}

FusedForward::Matrix FusedForward::matrix_of(const WeightMatrix& weights, PrefillLinear::Kind kind) const {
  auto few_rows = PrefillLinear::create(weights, kind, weights_.embedding.scalar_type());
  if (weights.type != WeightType::float8) return {weights.data, std::move(few_rows)};
  const at::Tensor shared = dequantized_.narrow(0, 0, weights.data.numel()).view(weights.data.sizes());
  return {shared, std::move(few_rows), &weights};
}

bool FusedForward::by_peers(std::int64_t rows) const {
  return peer_sum_ && peer_sum_->takes(rows, part_.hidden_size, weights_.embedding.scalar_type());
}

void FusedForward::reserve(std::int64_t rows) {
  if (rows == 0 || (all_.residual.defined() && all_.residual.size(0) >= rows)) return;
  const std::int64_t heads = part_.num_heads;
  const std::int64_t head_dim = part_.head_dim;
  const auto empty = [&](at::IntArrayRef shape) { return at::empty(shape, weights_.embedding.options()); };
  all_ = {};  // its memory first
  all_ = {
      .residual = empty({rows, part_.hidden_size}),
      .delta = by_peers(rows) ? at::Tensor() : empty({rows, part_.hidden_size}),
      .normed = empty({rows, part_.hidden_size}),
      .qkv = empty({rows, part_.qkv_width()}),
      .queries = empty({rows, heads, head_dim}),
      .attended = empty({rows, heads, head_dim}),
      .gate_up = empty({rows, 2 * part_.intermediate_size}),
      .activated = empty({rows, part_.intermediate_size}),
  };
}

FusedForward::Buffers FusedForward::buffers_for(std::int64_t rows) {
  reserve(rows);
  Buffers buffers = part_of(all_, 0, rows);
  if (by_peers(rows)) buffers.delta = at::Tensor();
  return buffers;
}

FusedForward::Buffers FusedForward::part_of(const Buffers& buffers, std::int64_t first, std::int64_t rows) {
  const auto part = [&](const at::Tensor& tensor) { return tensor.defined() ? tensor.narrow(0, first, rows) : tensor; };
  return {
      .residual = part(buffers.residual),
      .delta = part(buffers.delta),
      .normed = part(buffers.normed),
      .qkv = part(buffers.qkv),
      .queries = part(buffers.queries),
      .attended = part(buffers.attended),
      .gate_up = part(buffers.gate_up),
      .activated = part(buffers.activated),
  };
}

at::Tensor FusedForward::run(std::span<const SlotRows> batch) { return run(batch, false); }

at::Tensor FusedForward::run_for_last(const SlotRows& rows) { return run(std::span(&rows, 1), true); }

/// `for_last`: of the only slot's rows just the last one goes through the last layer, whose keys and values are all
/// that is needed of the others.
at::Tensor FusedForward::run(std::span<const SlotRows> batch, bool for_last) {
  const std::int64_t count = count_rows(batch);
  reserve(count);
  at::Tensor embedding = by_peers(count)
                             ? peer_sum_->partial(count, part_.hidden_size, weights_.embedding.scalar_type())
                             : all_.residual.narrow(0, 0, count);
  const prefill_ops::RowIndices indices = embed(batch, embedding);
  Buffers buffers = buffers_for(count);  // while the GPU embeds
  join_embedding(buffers);
  at::Tensor result = at::empty({for_last ? 1 : count, part_.hidden_size}, buffers.residual.options());

  for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
    const LayerWeights& weights = weights_.layers[layer];
    const bool last = layer + 1 == layers_.size();
    store_heads(layer, indices, buffers);
    if (last && for_last) buffers = part_of(buffers, count - 1, 1);
    at::Tensor attention = attention_part(layer, attend(layer, batch, buffers), buffers);
    join(attention, weights.output_bias, weights.post_norm, buffers, buffers.normed);
    at::Tensor change = feed_forward(layer, buffers);
    join(change, {}, last ? weights_.final_norm : weights_.layers[layer + 1].input_norm, buffers,
         last ? result : buffers.normed);
  }
  return result;
}

/// Each rank looks up the ids that it holds; the sum over ranks is the embedding.
prefill_ops::RowIndices FusedForward::embed(std::span<const SlotRows> batch, at::Tensor& part) const {
  const SlotRows& first = batch.front();
  if (batch.size() == 1 && first.tokens.size() <= prefill_ops::kMaxNewRows) {
    const at::Tensor both = at::empty({2, part.size(0)}, part.options().dtype(at::kLong));
    prefill_ops::RowIndices indices{both.select(0, 0), both.select(0, 1)};
    const auto first_page = static_cast<std::size_t>(first.first_position / kPageTokens);
    const std::size_t last_page =
        (static_cast<std::size_t>(first.first_position) + first.tokens.size() - 1) / kPageTokens;
    const auto pages = std::span(cache_.pages(first.slot)).subspan(first_page, last_page - first_page + 1);
    prefill_ops::embed_new_rows({first.tokens, first.first_position, pages}, weights_.embedding, shard_.first_vocab,
                                part, indices);
    return indices;
  }
  const at::Tensor rows = upload_rows(batch, cache_, part.device());
  prefill_ops::embed_rows(rows.select(0, 0), weights_.embedding, shard_.first_vocab, part);
  return {rows.select(0, 1), rows.select(0, 2)};
}

/// residual = sum of the ranks' parts of the embedding; normed = rms_norm(residual) for the first layer.
void FusedForward::join_embedding(Buffers& buffers) {
  const at::Tensor& norm = weights_.layers.front().input_norm;
  if (buffers.delta.defined()) {
    collectives_.all_reduce(buffers.residual);
    prefill_ops::rms_norm(buffers.residual, norm, part_.rms_norm_eps, buffers.normed);
  } else {
    peer_sum_->sum_rms_norm(buffers.residual, norm, part_.rms_norm_eps, buffers.normed);
  }
}

/// The weights for a library product, dequantised where they are not kept.
const at::Tensor& FusedForward::ready(const Matrix& matrix) {
  if (matrix.float8) {
    at::Tensor weights = matrix.weights;
    prefill_ops::dequantize(*matrix.float8, weights);
  }
  return matrix.weights;
}

/// y = x · Wᵀ + bias, which may be undefined.
void FusedForward::multiply(const Matrix& matrix, const at::Tensor& x, const at::Tensor& bias, at::Tensor& y) {
  if (matrix.few_rows && x.size(0) <= PrefillLinear::kMaxRows) {
    matrix.few_rows->run(x, bias, y);
  } else if (bias.defined()) {
    at::addmm_out(y, bias, x, ready(matrix).t());
  } else {
    at::mm_out(y, x, ready(matrix).t());
  }
}

/// x · Wᵀ as this rank's part of the next sum over the ranks, [rows, hidden].
at::Tensor FusedForward::partial_linear(const Matrix& matrix, const at::Tensor& x, const Buffers& buffers) {
  const std::int64_t rows = x.size(0);
  at::Tensor result =
      buffers.delta.defined() ? buffers.delta : peer_sum_->partial(rows, part_.hidden_size, x.scalar_type());
  multiply(matrix, x, {}, result);
  return result;
}

/// residual += sum of the ranks' partial results + bias; normed = rms_norm(residual) with the weights `norm`.
void FusedForward::join(at::Tensor& partial, const at::Tensor& bias, const at::Tensor& norm, Buffers& buffers,
                        at::Tensor& normed) {
  if (buffers.delta.defined()) {
    collectives_.all_reduce(partial);
    prefill_ops::add_rms_norm(buffers.residual, partial, bias, norm, part_.rms_norm_eps, normed);
  } else {
    peer_sum_->add_rms_norm(buffers.residual, bias, norm, part_.rms_norm_eps, normed);
  }
}

/// normed -> queries; keys and values go to the cache.
void FusedForward::store_heads(std::size_t layer, const prefill_ops::RowIndices& indices, Buffers& buffers) {
  const LayerWeights& weights = weights_.layers[layer];
  Layer& views = layers_[layer];
  multiply(views.qkv, buffers.normed, weights.qkv_bias, buffers.qkv);
  prefill_ops::qk_norm_rope_store(buffers.qkv, weights.qk_norm, part_.rms_norm_eps, shard_.rope, indices,
                                  buffers.queries, views.cached_keys, views.cached_values);
}

/// queries, of the last of the slot's rows, and the result, `attended` or another tensor: [n, heads_local, head_dim].
at::Tensor FusedForward::attend_slot(std::size_t layer, const SlotRows& rows, const at::Tensor& queries,
                                     at::Tensor attended) {
  const std::int64_t length = rows.first_position + static_cast<std::int64_t>(rows.tokens.size());
  if (attention_) {
    attention_->run(layer, queries, {cache_.page_tables().select(0, rows.slot), length, rows.first_position}, attended);
    return attended;
  }
  const auto index = static_cast<std::int64_t>(layer);
  return causal_attention(queries, cache_.keys(index, rows.slot, length), cache_.values(index, rows.slot, length),
                          shard_.kv_head_of, shard_.uniform_groups, part_.attention_scale());
}

/// queries -> [rows, heads_local, head_dim]: `attended` or another tensor. The buffers may have the last rows of a
/// batch of one slot only.
at::Tensor FusedForward::attend(std::size_t layer, std::span<const SlotRows> batch, const Buffers& buffers) {
  if (batch.size() == 1) return attend_slot(layer, batch[0], buffers.queries, buffers.attended);
  std::vector<at::Tensor> parts;
  std::int64_t row = 0;
  for (const SlotRows& rows : batch) {
    const auto count = static_cast<std::int64_t>(rows.tokens.size());
    parts.push_back(
        attend_slot(layer, rows, buffers.queries.narrow(0, row, count), buffers.attended.narrow(0, row, count)));
    row += count;
  }
  return attention_ ? buffers.attended : at::cat(parts);
}

/// This rank's part of what attention adds to the residual, without the bias of the output.
at::Tensor FusedForward::attention_part(std::size_t layer, const at::Tensor& attended, const Buffers& buffers) {
  return partial_linear(layers_[layer].output, attended.reshape({attended.size(0), part_.query_width()}), buffers);
}

/// normed -> this rank's part of what the feed-forward adds to the residual.
at::Tensor FusedForward::feed_forward(std::size_t layer, Buffers& buffers) {
  const Layer& views = layers_[layer];
  if (views.gate_up.few_rows && buffers.normed.size(0) <= PrefillLinear::kMaxRows) {
    views.gate_up.few_rows->run(buffers.normed, {}, buffers.activated);
  } else {
    at::mm_out(buffers.gate_up, buffers.normed, ready(views.gate_up).t());
    prefill_ops::silu_mul(buffers.gate_up, buffers.activated);
  }
  return partial_linear(views.down, buffers.activated, buffers);
}

}  // namespace specthink::inline model
