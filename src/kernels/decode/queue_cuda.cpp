#include <ATen/ATen.h>

#include <algorithm>

#include "kernels/decode/linear/weights.h"
#include "kernels/decode/portable/attention.h"
#include "kernels/decode/portable/matrix_vector.h"
#include "kernels/decode/queue.h"
#include "kernels/decode/rows.h"
#include "kernels/decode/sampling.h"
#include "kernels/device/cuda_handles.h"
#include "kernels/device/hopper.h"
#include "kernels/prefill/linear_device.h"

namespace specthink::inline kernels {
namespace {

// Kernels that a step of one row records, at most.
constexpr std::size_t kKernelsOfLayer = 5;
constexpr std::size_t kOtherKernels = 8;

const void* data_or_null(const at::Tensor& tensor) { return tensor.defined() ? tensor.const_data_ptr() : nullptr; }

const char* name_of(DecodeLinear which) {
  constexpr const char* kNames[] = {"qkv", "output", "gate_up", "down", "head"};
  return kNames[static_cast<int>(which)];
}

}  // namespace

DecodeQueue::DecodeQueue(const LoadedShard& model, DecodeBuffers& buffers, Collectives& collectives,
                         const DecodeStep::Options& options, int rows, SpinLimit limit, std::uint64_t* results,
                         cudaStream_t stream)
    : model_(model),
      buffers_(buffers),
      collectives_(collectives),
      options_(options),
      type_(model.compute_type() == at::kBFloat16 ? ElementType::bfloat16 : ElementType::float16),
      hidden_(model.part.hidden_size),
      limit_(limit),
      results_(results),
      stream_(stream) {
  has_dependent_launches_ = has_hopper_code(model.device().index());
  check_cuda(cudaDeviceGetAttribute(&sms_, cudaDevAttrMultiProcessorCount, model.device().index()),
             "cudaDeviceGetAttribute");
  if (options.timeline)
    timeline_ = DecodeTimeline(static_cast<std::int64_t>(kKernelsOfLayer * model.weights.layers.size() + kOtherKernels),
                               at::TensorOptions(model.device()));
  if (!buffers.fused()) warm_up_collectives();
  if (options.kernels == StepKernels::portable) portable_ = portable_memory(rows);
}

DecodeQueue::PortableMemory DecodeQueue::portable_memory(int rows) const {
  const ModelDescription& part = model_.part;
  const at::TensorOptions device(model_.device());
  std::int64_t results = 0;
  std::int64_t arrived = 0;
  for (int count = 1; count <= rows; ++count) {
    const PortableSplit split =
        portable_split(static_cast<int>(part.num_heads), static_cast<int>(part.num_kv_heads), count, sms_);
    const auto kv_heads = static_cast<int>(part.num_kv_heads);
    results = std::max(results, portable_results_bytes(split, kv_heads, static_cast<int>(part.head_dim), count));
    arrived = std::max(arrived, portable_arrived_bytes(split, kv_heads, count));
  }
  return {.sums = at::empty({rows * std::max(hidden_, 2 * part.intermediate_size)}, device.dtype(at::kFloat)),
          .queries = at::empty({rows, part.query_width()}, device.dtype(model_.compute_type())),
          .results = at::empty({results}, device.dtype(at::kByte)),
          .arrived = at::zeros({arrived}, device.dtype(at::kByte))};
}

std::int64_t DecodeQueue::bytes() const {
  std::size_t total = 0;
  for (const at::Tensor* tensor : {&portable_.sums, &portable_.queries, &portable_.results, &portable_.arrived}) {
    if (tensor->defined()) total += tensor->nbytes();
  }
  return static_cast<std::int64_t>(total);
}

void DecodeQueue::warm_up_products(int rows) {
  kind_ = Kind::portable;
  const LayerWeights& layer = model_.weights.layers.front();
  const auto multiply = [&](const WeightMatrix& weights, const void* x, void* y) {
    portable_linear(weights, rows, x, LinearOutput::values, y, {});
  };
  multiply(layer.qkv, buffers_.normed(rows, true), buffers_.qkv());
  multiply(layer.output, buffers_.attended(rows, true), portable_.sums.mutable_data_ptr());
  multiply(layer.gate_up, buffers_.normed(rows, true), portable_.sums.mutable_data_ptr());
  multiply(layer.down, buffers_.activated(rows, true), portable_.sums.mutable_data_ptr());
  multiply(model_.weights.head, buffers_.normed(rows, true), buffers_.logits());
}

/// NCCL sets up its connections in the first call of a kind, which must not happen during capture.
void DecodeQueue::warm_up_collectives() {
  at::Tensor partials = buffers_.partials(hidden_);
  collectives_.all_reduce(partials);
  at::Tensor gathered = buffers_.gathered_candidates(1);
  collectives_.all_gather_into(gathered, buffers_.own_candidates(1));
  buffers_.partials(hidden_).zero_();
}

void DecodeQueue::step(int rows, Kind kind) {
  after_collective_ = false;
  kind_ = kind;
  timeline_.begin_step(rows == 1);
  if (kind == Kind::several || kind == Kind::batch)
    launch_entry_parts(attention_params(0, rows), type_, rows, 0, stream_);
  launch_embed_rows(buffers_.layout(), model_.weights.embedding.const_data_ptr(), model_.first_vocab,
                    model_.part.vocab_size, hidden_, rows, buffers_.sent(0), type_, stream_);
  reduce_slot(rows);
  const bool row_major = is_row_major();
  int slot = 0;
  for (std::size_t i = 0; i < model_.weights.layers.size(); ++i) {
    const LayerWeights& layer = model_.weights.layers[i];
    normed_linear(DecodeLinear::qkv, slot, layer.input_norm, layer.qkv, rows, LinearOutput::values, buffers_.qkv());
    attention(static_cast<std::int64_t>(i), rows);
    summed_linear(DecodeLinear::output, ++slot, layer.output, layer.output_bias, rows,
                  buffers_.attended(rows, row_major));
    normed_linear(DecodeLinear::gate_up, slot, layer.post_norm, layer.gate_up, rows, LinearOutput::swiglu,
                  buffers_.activated(rows, row_major));
    summed_linear(DecodeLinear::down, ++slot, layer.down, {}, rows, buffers_.activated(rows, row_major));
  }
  normed_linear(DecodeLinear::head, slot, model_.weights.final_norm, model_.weights.head, rows, LinearOutput::values,
                buffers_.logits());
  sampling(rows, slot);
}

void DecodeQueue::choice(const at::Tensor& hidden) {
  timeline_.begin_step(false);
  kind_ = options_.kernels == StepKernels::portable ? Kind::portable : Kind::one;
  buffers_.normed_row().copy_(hidden.view({-1}));
  if (kind_ == Kind::portable) {
    portable_linear(model_.weights.head, 1, buffers_.normed(1, false), LinearOutput::values, buffers_.logits(), {});
    sampling(1, -1);
    return;
  }
  LinearParams params =
      linear(DecodeLinear::head, model_.weights.head, 1, LinearInput::activations, LinearOutput::values);
  params.x = buffers_.normed(1, false);
  params.y = buffers_.logits();
  launch_linear(params, type_, 1, LinearInput::activations, LinearOutput::values, false, stream_,
                format_of(model_.weights.head));
  sampling(1, -1);
}

LinearParams DecodeQueue::linear(DecodeLinear which, const WeightMatrix& matrix, int rows, LinearInput input,
                                 LinearOutput output) const {
  const at::Tensor& weights = matrix.data;
  const std::size_t asked = options_.shared_budget[static_cast<std::size_t>(which)];
  const std::size_t budget =
      asked ? asked
            : linear_shared_budget(which, rows, static_cast<std::int64_t>(weights.nbytes()), sms_,
                                   is_short_layer(hidden_, model_.part.intermediate_size, sms_), format_of(matrix));
  LinearParams params;
  params.rows = output == LinearOutput::swiglu ? weights.size(0) / 2 : weights.size(0);
  params.columns = weights.size(1);
  params.geometry = choose_geometry(params.rows, params.columns, rows, input, output, sms_, budget, format_of(matrix));
  set_weights(params, matrix);
  params.limit = limit_;
  return params;
}

/// The linear layer that reads the partial sums of a slot: for one row with the norm inside, else after a norm kernel.
void DecodeQueue::normed_linear(DecodeLinear which, int slot, const at::Tensor& norm_weight,
                                const WeightMatrix& weights, int rows, LinearOutput output, void* y) {
  NormInput norm;
  norm.received = buffers_.received(slot, rows * hidden_);
  norm.weight = norm_weight.const_data_ptr();
  norm.residual_out = buffers_.residual();
  norm.eps = static_cast<float>(model_.part.rms_norm_eps);
  if (kind_ == Kind::portable && rows == 1) {
    portable_linear(weights, 1, nullptr, output, y, {}, &norm);
    return;
  }
  if (is_row_major()) {
    void* const normed = buffers_.normed(rows, true);
    launch_norm_rows(norm, hidden_, rows, {.rows = normed, .are_row_major = true}, limit_, type_, dependent(), stream_);
    if (kind_ == Kind::portable) {
      portable_linear(weights, rows, normed, output, y, {});
      return;
    }
    PartialsOutput values;
    values.sent.to[0] = static_cast<float*>(y);
    batch_linear(weights, rows, normed, output == LinearOutput::swiglu ? y : nullptr, values);
    return;
  }
  const bool is_scaled = rows > 1 && type_ == ElementType::bfloat16 && format_of(weights) == WeightFormat::float8;
  const LinearInput input = rows == 1 ? LinearInput::norm : is_scaled ? LinearInput::scaled : LinearInput::activations;
  LinearParams params = linear(which, weights, rows, input, output);
  params.y = y;
  params.marks = timeline_.marks(name_of(which));
  if (rows == 1) {
    params.norm = norm;
  } else {
    NormedRows normed{.rows = buffers_.normed(rows, false)};
    if (is_scaled) normed.inverses = buffers_.inverses();
    launch_norm_rows(norm, hidden_, rows, normed, limit_, type_, dependent(), stream_);
    params.x = normed.rows;
    params.x_inverses = normed.inverses;
  }
  launch_linear(params, type_, rows, input, output, dependent(), stream_, format_of(weights));
}

/// The linear layer whose partial sums go to a slot.
void DecodeQueue::summed_linear(DecodeLinear which, int slot, const WeightMatrix& weights, const at::Tensor& bias,
                                int rows, const void* x) {
  PartialsOutput partials;
  partials.sent = buffers_.sent(slot);
  if (collectives_.rank() == 0) {
    partials.residual = buffers_.residual();
    partials.bias = data_or_null(bias);
  }
  if (kind_ == Kind::portable) {
    portable_linear(weights, rows, x, LinearOutput::partials, nullptr, partials);
  } else if (kind_ == Kind::batch) {
    batch_linear(weights, rows, x, nullptr, partials);
  } else {
    LinearParams params = linear(which, weights, rows, LinearInput::activations, LinearOutput::partials);
    params.x = x;
    params.partials = partials;
    params.marks = timeline_.marks(name_of(which));
    launch_linear(params, type_, rows, LinearInput::activations, LinearOutput::partials, dependent(), stream_,
                  format_of(weights));
  }
  reduce_slot(rows);
}

/// y = W · x of each row, or what LinearOutput makes of it.
void DecodeQueue::portable_linear(const WeightMatrix& weights, int rows, const void* x, LinearOutput output, void* y,
                                  const PartialsOutput& partials, const NormInput* norm) {
  const std::int64_t outputs = weights.data.size(0);
  const std::int64_t columns = weights.data.size(1);
  if (rows == 1) {
    MatrixVectorParams params;
    params.weights = weights.data.const_data_ptr();
    params.rows = output == LinearOutput::swiglu ? outputs / 2 : outputs;
    params.columns = columns;
    params.x = x;
    params.y = y;
    params.partials = partials;
    params.limit = limit_;
    if (norm) params.norm = *norm;
    launch_matrix_vector(params, type_, output, dependent(), stream_);
    return;
  }
  const at::Tensor activations = at::from_blob(const_cast<void*>(x), {rows, columns}, weights.data.options());
  void* const sums = output == LinearOutput::values ? y : portable_.sums.mutable_data_ptr();
  at::Tensor products = at::from_blob(sums, {rows, outputs}, weights.data.options().dtype(at::kFloat));
  at::mm_out(products, activations, weights.data.t(), at::kFloat);
  if (output == LinearOutput::swiglu) {
    launch_gated_sums(static_cast<const float*>(sums), y, rows, outputs / 2, type_, stream_);
  } else if (output == LinearOutput::partials) {
    launch_send_sums(static_cast<const float*>(sums), partials, rows, outputs, type_, stream_);
  }
}

/// The linear layer of a batch: gate and up to `activated`, of another matrix the sums.
void DecodeQueue::batch_linear(const WeightMatrix& weights, int rows, const void* x, void* activated,
                               const PartialsOutput& sums) {
  PrefillLinearParams params = prefill_linear_params(weights, activated != nullptr);
  set_x(params, x, rows);
  params.y = activated;
  params.sent = sums.sent;
  params.residual = sums.residual;
  params.bias = sums.bias;
  params.dependent = dependent();
  launch_prefill_linear(params, type_, stream_);
}

/// Without mapped memory the partial sums are added by NCCL, in place.
void DecodeQueue::reduce_slot(int rows) {
  if (buffers_.fused()) return;
  at::Tensor partials = buffers_.partials(rows * hidden_);
  collectives_.all_reduce(partials);
  after_collective_ = true;
}

AttentionParams DecodeQueue::attention_params(std::int64_t index, int rows) const {
  const LayerWeights& layer = model_.weights.layers[static_cast<std::size_t>(index)];
  AttentionParams params;
  params.layout = buffers_.layout();
  params.qkv = buffers_.qkv();
  params.bias = data_or_null(layer.qkv_bias);
  params.norm_weight = data_or_null(layer.qk_norm);
  params.cos = model_.rope.cos.const_data_ptr();
  params.sin = model_.rope.sin.const_data_ptr();
  params.keys = model_.cache.select(0, index).select(0, 0).mutable_data_ptr();
  params.values = model_.cache.select(0, index).select(0, 1).mutable_data_ptr();
  params.page_tables = model_.page_tables.const_data_ptr<std::int32_t>();
  params.pages_per_slot = model_.page_tables.size(1);
  params.output = buffers_.attended(rows, is_row_major());
  params.is_row_major = is_row_major();
  params.heads = static_cast<int>(model_.part.num_heads);
  params.kv_heads = static_cast<int>(model_.part.num_kv_heads);
  params.head_dim = static_cast<int>(model_.part.head_dim);
  params.page_tokens = static_cast<int>(model_.cache.size(3));
  params.eps = static_cast<float>(model_.part.rms_norm_eps);
  params.scale = static_cast<float>(model_.part.attention_scale());
  params.split.results = buffers_.attention_split();
  params.split.limit = limit_;
  params.split.tiles_of_part = buffers_.tiles_of_part();
  return params;
}

void DecodeQueue::portable_attention(std::int64_t layer, int rows) {
  PortableAttention params;
  params.step = attention_params(layer, rows);
  params.split = portable_split(params.step.heads, params.step.kv_heads, rows, sms_);
  params.window = static_cast<int>(model_.part.window(layer));
  params.queries = portable_.queries.mutable_data_ptr();
  params.results = static_cast<float*>(portable_.results.mutable_data_ptr());
  params.arrived = static_cast<unsigned*>(portable_.arrived.mutable_data_ptr());
  launch_portable_attention(params, type_, rows, dependent(), stream_);
}

void DecodeQueue::attention(std::int64_t layer, int rows) {
  if (kind_ == Kind::portable) {
    portable_attention(layer, rows);
    return;
  }
  AttentionParams params = attention_params(layer, rows);
  params.marks = timeline_.marks("attention");
  if (kind_ != Kind::one) {
    launch_entries_attention(params, type_, rows, 0, dependent(), stream_);
    return;
  }
  launch_decode_attention(params, type_, rows, options_.attention_cluster, dependent(), stream_);
}

/// `last_slot`: of the step's partial sums, whose follower is reset for the next step; -1: none.
void DecodeQueue::sampling(int rows, int last_slot) {
  DecodeSampling sampling;
  buffers_.fill_sampling(sampling, rows);
  sampling.first_id = model_.first_vocab;
  sampling.results = results_;
  sampling.statistics = results_ + std::ptrdiff_t{kMaxSlots} * kResultSlots;
  sampling.limit = limit_;
  sampling.select_marks = timeline_.marks("select");
  sampling.choose_marks = timeline_.marks("choose");
  if (last_slot >= 0) {
    const ReceivedPartials received = buffers_.received(last_slot + 1, rows * hidden_);
    sampling.reset = received.reset;
    sampling.reset_rank_stride = received.rank_stride;
    sampling.reset_float4s = static_cast<int>(rows * hidden_ / 4);
    sampling.reset_ranks = received.ranks;
  }
  if (buffers_.fused()) {
    launch_decode_sampling(sampling, SamplingPart::all, rows, dependent(), stream_, has_dependent_launches_);
    return;
  }
  launch_decode_sampling(sampling, SamplingPart::select, rows, dependent(), stream_, has_dependent_launches_);
  at::Tensor gathered = buffers_.gathered_candidates(rows);
  collectives_.all_gather_into(gathered, buffers_.own_candidates(rows));
  launch_decode_sampling(sampling, SamplingPart::choose, rows, false, stream_, has_dependent_launches_);
}

}  // namespace specthink::inline kernels
