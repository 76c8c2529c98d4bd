#include "kernels/decode_step_cuda.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <thread>

#include "kernels/cuda_handles.h"
#include "kernels/decode_attention.h"
#include "kernels/decode_buffers.h"
#include "kernels/decode_rows.h"
#include "kernels/decode_sampling.h"
#include "kernels/hopper.h"
#include "kernels/product.h"
#include "kernels/request_state.h"
#include "kernels/tensor_map.h"

namespace specthink {
namespace {

constexpr std::array kRowCounts{1, 2, 4, 8, 16};

int index_of(int rows) {
  for (std::size_t i = 0; i < kRowCounts.size(); ++i) {
    if (rows <= kRowCounts[i]) return static_cast<int>(i);
  }
  throw InternalError("a decode step of {} rows", rows);
}

const void* data_or_null(const at::Tensor& tensor) { return tensor.defined() ? tensor.const_data_ptr() : nullptr; }

class CudaDecodeStep final : public DecodeStep {
 public:
  CudaDecodeStep(StepModel model, const ProcessGroup& group, Collectives& collectives, const Options& options)
      : model_(std::move(model)),
        collectives_(collectives),
        options_(options),
        type_(model_.head.scalar_type() == at::kBFloat16 ? ElementType::bfloat16 : ElementType::float16),
        hidden_(model_.head.size(1)),
        buffers_(model_, group, options_.all_reduce),
        stream_(c10::cuda::getCurrentCUDAStream(model_.head.get_device())),
        results_(kResultSlots),
        abort_flag_(1),
        job_(group.job()) {
    cudaDeviceProp properties{};
    check_cuda(cudaGetDeviceProperties(&properties, model_.head.get_device()), "cudaGetDeviceProperties");
    sms_ = properties.multiProcessorCount;
    cluster_ = options_.attention_cluster ? options_.attention_cluster
                                          : attention_cluster_size(type_, static_cast<int>(model_.head_dim));
    limit_.failed = buffers_.failed();
    limit_.abort = abort_flag_.data();
    limit_.nanoseconds = static_cast<std::uint64_t>(options_.wait_limit_seconds * 1e9);
    if (options_.timeline) {
      const auto kernels = static_cast<std::int64_t>(5 * model_.layers.size() + 8);
      timeline_marks_ = at::zeros({kernels * kMarks}, model_.head.options().dtype(at::kLong));
    }
    if (!buffers_.fused()) warm_up_collectives();
    for (const int rows : kRowCounts) graphs_.emplace_back(stream_, [&] { queue_step(rows); });
    check_cuda(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    abort_hook_ = job_.add_abort_hook([this] { abort(); });
    group.barrier();  // every rank's buffers are ready before the first step writes into them
  }

  ~CudaDecodeStep() override {
    job_.remove_abort_hook(abort_hook_);
    cudaStreamSynchronize(stream_);
  }

  bool fused() const override { return buffers_.fused(); }
  void set_stop_table(std::span<const std::uint16_t> entries, std::int64_t vocab) override;
  void begin(const StepRequest& request) override;
  void enqueue() override;
  void enqueue_from_hidden(const at::Tensor& state) override;
  StepToken result(int index) override;
  void abort() override { abort_flag_.store(0, 1); }
  at::Tensor logits(int rows) const override { return buffers_.logits_tensor().narrow(0, 0, rows); }
  std::vector<KernelTimes> timeline() const override;
  std::int64_t buffer_bytes() const override { return buffers_.bytes(); }

 private:
  // NCCL sets up its connections in the first call of a kind, which must not happen during capture.
  void warm_up_collectives() {
    at::Tensor partials = buffers_.partials(hidden_);
    collectives_.all_reduce(partials);
    collectives_.all_gather_into(buffers_.gathered_candidates(), buffers_.own_candidates());
    buffers_.partials(hidden_).zero_();
  }

  // The parts of a step. Each is queued on the stream; the first one of a graph waits for the whole step before, the
  // others start early.

  enum class Matrix { qkv, output, gate_up, down, head };

  std::size_t shared_budget(Matrix matrix, std::int64_t weight_bytes) const {
    if (const std::size_t asked = options_.shared_budget[static_cast<std::size_t>(matrix)]) return asked;
    return product_shared_budget(weight_bytes, sms_, matrix == Matrix::head);
  }

  ProductParams product(Matrix matrix, const at::Tensor& weights, int rows, ProductInput input,
                        ProductOutput output) const {
    ProductParams params;
    params.rows = output == ProductOutput::swiglu ? weights.size(0) / 2 : weights.size(0);
    params.columns = weights.size(1);
    params.geometry = choose_geometry(params.rows, params.columns, rows, input, output, sms_,
                                      shared_budget(matrix, static_cast<std::int64_t>(weights.nbytes())));
    params.weights =
        make_tensor_map(weights.const_data_ptr(), weights.size(0), weights.size(1), params.geometry.group_rows);
    params.limit = limit_;
    return params;
  }

  /// The product that reads the partial sums of a place: for one row with the norm inside, else after a norm kernel.
  void queue_normed_product(Matrix matrix, int place, const at::Tensor& norm_weight, const at::Tensor& weights,
                            int rows, ProductOutput output, void* y) {
    NormInput norm;
    norm.received = buffers_.received(place, rows * hidden_);
    norm.weight = norm_weight.const_data_ptr();
    norm.residual_out = buffers_.residual();
    norm.eps = static_cast<float>(model_.rms_norm_eps);
    const ProductInput input = rows == 1 ? ProductInput::norm : ProductInput::activations;
    ProductParams params = product(matrix, weights, rows, input, output);
    params.y = y;
    params.marks = marks(name_of(matrix));
    if (rows == 1) {
      params.norm = norm;
    } else {
      launch_norm_rows(norm, hidden_, rows, buffers_.normed(rows), limit_, type_, dependent(), stream_);
      params.x = buffers_.normed(rows);
    }
    launch_product(params, type_, rows, input, output, dependent(), stream_);
  }

  void queue_summed_product(Matrix matrix, int place, const at::Tensor& weights, const at::Tensor& bias, int rows,
                            const void* x) {
    ProductParams params = product(matrix, weights, rows, ProductInput::activations, ProductOutput::partials);
    params.x = x;
    params.partials.sent = buffers_.sent(place);
    params.marks = marks(name_of(matrix));
    if (collectives_.rank() == 0) {
      params.partials.residual = buffers_.residual();
      params.partials.bias = data_or_null(bias);
    }
    launch_product(params, type_, rows, ProductInput::activations, ProductOutput::partials, dependent(), stream_);
    reduce_place(rows);
  }

  /// Without mapped memory the partial sums are added by NCCL, in place.
  void reduce_place(int rows) {
    if (buffers_.fused()) return;
    at::Tensor partials = buffers_.partials(rows * hidden_);
    collectives_.all_reduce(partials);
    after_collective_ = true;
  }

  /// Where the next kernel records its times; null unless a timeline is wanted.
  std::uint64_t* marks(const char* name) {
    if (!timeline_marks_.defined() || !recording_) return nullptr;
    kernel_names_.push_back(name);
    check(static_cast<std::int64_t>(kernel_names_.size()) * kMarks <= timeline_marks_.numel(),
          "a longer step than the timeline");
    return static_cast<std::uint64_t*>(timeline_marks_.mutable_data_ptr()) +
           static_cast<std::int64_t>(kernel_names_.size() - 1) * kMarks;
  }

  static const char* name_of(Matrix matrix) {
    constexpr const char* kNames[] = {"qkv", "output", "gate_up", "down", "head"};
    return kNames[static_cast<int>(matrix)];
  }

  /// Whether the next kernel may start before the one before it has ended: not after a collective.
  bool dependent() { return !std::exchange(after_collective_, false); }

  void queue_attention(const StepLayer& layer, std::int64_t index, int rows) {
    AttentionParams params;
    params.state = buffers_.state();
    params.qkv = buffers_.qkv();
    params.bias = data_or_null(layer.qkv_bias);
    params.norm_weight = data_or_null(layer.qk_norm);
    params.cos = model_.rope_cos.const_data_ptr();
    params.sin = model_.rope_sin.const_data_ptr();
    params.keys = model_.cache.select(0, index).select(0, 0).mutable_data_ptr();
    params.values = model_.cache.select(0, index).select(0, 1).mutable_data_ptr();
    params.page_table = buffers_.page_table();
    params.output = buffers_.attended(rows);
    params.heads = static_cast<int>(model_.heads);
    params.kv_heads = static_cast<int>(model_.kv_heads);
    params.head_dim = static_cast<int>(model_.head_dim);
    params.page_tokens = static_cast<int>(model_.cache.size(3));
    params.eps = static_cast<float>(model_.rms_norm_eps);
    params.scale = 1 / std::sqrt(static_cast<float>(model_.head_dim));
    params.marks = marks("attention");
    launch_decode_attention(params, type_, rows, cluster_, dependent(), stream_);
  }

  void queue_sampling(int rows, int last_place) {
    DecodeSampling sampling;
    sampling.state = buffers_.state();
    sampling.logits = buffers_.logits();
    sampling.logits_stride = model_.head.size(0);
    sampling.first_id = model_.first_vocab;
    sampling.columns = std::clamp<std::int64_t>(options_.sampled_ids - model_.first_vocab, 0, model_.head.size(0));
    sampling.blocks = buffers_.block_candidates();
    buffers_.fill_candidate_exchange(sampling);
    sampling.results = results_.data();
    sampling.result_slots = kResultSlots;
    sampling.limit = limit_;
    sampling.select_marks = marks("select");
    sampling.choose_marks = marks("choose");
    if (last_place >= 0) {
      const ReceivedPartials received = buffers_.received(last_place + 1, rows * hidden_);
      sampling.wipe = received.wipe;
      sampling.wipe_rank_stride = received.rank_stride;
      sampling.wipe_quads = static_cast<int>(rows * hidden_ / 4);
      sampling.wipe_ranks = received.ranks;
    }
    if (buffers_.fused()) {
      launch_decode_sampling(sampling, SamplingPart::all, dependent(), stream_);
      return;
    }
    launch_decode_sampling(sampling, SamplingPart::select, dependent(), stream_);
    collectives_.all_gather_into(buffers_.gathered_candidates(), buffers_.own_candidates());
    launch_decode_sampling(sampling, SamplingPart::choose, false, stream_);
  }

  void queue_step(int rows) {
    after_collective_ = false;
    recording_ = rows == 1;
    kernel_names_.clear();
    launch_embed_rows(buffers_.state(), model_.embedding.const_data_ptr(), model_.first_vocab, model_.embedding.size(0),
                      hidden_, rows, buffers_.sent(0), type_, stream_);
    reduce_place(rows);
    int place = 0;
    for (std::size_t i = 0; i < model_.layers.size(); ++i) {
      const StepLayer& layer = model_.layers[i];
      queue_normed_product(Matrix::qkv, place, layer.input_norm, layer.qkv, rows, ProductOutput::values,
                           buffers_.qkv());
      queue_attention(layer, static_cast<std::int64_t>(i), rows);
      queue_summed_product(Matrix::output, ++place, layer.output, layer.output_bias, rows, buffers_.attended(rows));
      queue_normed_product(Matrix::gate_up, place, layer.post_norm, layer.gate_up, rows, ProductOutput::swiglu,
                           buffers_.activated(rows));
      queue_summed_product(Matrix::down, ++place, layer.down, {}, rows, buffers_.activated(rows));
    }
    queue_normed_product(Matrix::head, place, model_.final_norm, model_.head, rows, ProductOutput::values,
                         buffers_.logits());
    queue_sampling(rows, place);
    if (recording_) step_names_ = std::exchange(kernel_names_, {});
    recording_ = false;
  }

  static constexpr std::uint32_t kResultSlots = 64;
  static constexpr std::int64_t kMarks = 6;  // of a kernel: kernels/timeline.cuh

  StepModel model_;
  Collectives& collectives_;
  Options options_;
  ElementType type_;
  std::int64_t hidden_;
  DecodeBuffers buffers_;
  c10::cuda::CUDAStream stream_;
  MappedArray<std::uint64_t> results_;
  MappedArray<std::uint32_t> abort_flag_;
  JobState& job_;
  int abort_hook_ = 0;
  SpinLimit limit_;
  int sms_ = 0;
  int cluster_ = 0;
  bool after_collective_ = false;
  at::Tensor timeline_marks_;  // [kernels, kMarks] int64; undefined without a timeline
  bool recording_ = false;
  std::vector<std::string> kernel_names_;  // of the step that is being queued
  std::vector<std::string> step_names_;    // of a step of one row
  std::vector<Graph> graphs_;              // of kRowCounts
  at::Tensor stop_entries_;                // uint16 as int16
  std::int64_t stop_vocab_ = 0;
  std::uint32_t first_serial_ = 1;  // of the request's results; 0 is what the result words hold before the first
  std::uint32_t next_serial_ = 1;
  int first_rows_ = 0;  // rows of the request's first step; 0 after it
};

void CudaDecodeStep::set_stop_table(std::span<const std::uint16_t> entries, std::int64_t vocab) {
  stop_vocab_ = vocab;
  const auto bytes = at::from_blob(const_cast<std::uint16_t*>(entries.data()),
                                   {static_cast<std::int64_t>(entries.size())}, at::TensorOptions(at::kShort));
  check_cuda(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");  // a step may still read the old table
  stop_entries_ = bytes.to(model_.head.device());
}

void CudaDecodeStep::begin(const StepRequest& request) {
  const auto rows = static_cast<int>(request.tokens.size());
  check(rows >= 1 && rows <= kMaxRows, "a request of 1 to 16 rows");
  static_assert(DecodeStep::kMaxEosIds == specthink::kMaxEosIds);
  check(request.eos_ids.size() <= static_cast<std::size_t>(kMaxEosIds), "more EOS ids than a step knows");
  check(request.position >= 0 && request.position + rows + request.max_tokens <= buffers_.positions(),
        "a request beyond the cache");
  check(request.sampling.temperature == 0 ||
            (request.sampling.top_k >= 1 && request.sampling.top_k <= kLargestDeviceTopK),
        "a top_k that the device does not sample from");
  RequestState state{};
  std::copy(request.tokens.begin(), request.tokens.end(), state.tokens);
  state.position = static_cast<std::int32_t>(request.position);
  state.rows = rows;
  state.left = request.max_tokens;
  first_serial_ = next_serial_;
  state.serial = first_serial_ & kSerialMask;
  state.stop_state = request.stop_state;
  state.stop_at_trigger = request.stop_at_trigger && stop_vocab_ > 0;
  state.stop_entries = static_cast<const std::uint16_t*>(data_or_null(stop_entries_));
  state.stop_vocab = stop_vocab_;
  state.temperature = request.sampling.temperature;
  state.top_p = request.sampling.top_p;
  state.top_k = request.sampling.temperature == 0 ? 1 : request.sampling.top_k;
  state.seed = request.sampling.seed;
  state.problem = request.sampling.problem;
  state.run = request.sampling.run;
  state.purpose = request.sampling.purpose;
  state.num_eos = static_cast<std::int32_t>(request.eos_ids.size());
  std::copy(request.eos_ids.begin(), request.eos_ids.end(), state.eos);
  launch_begin_request(buffers_.state(), state, stream_);
  first_rows_ = rows;
}

void CudaDecodeStep::enqueue() {
  const int rows = first_rows_ > 0 ? std::exchange(first_rows_, 0) : 1;
  graphs_[static_cast<std::size_t>(index_of(rows))].launch(stream_);
}

void CudaDecodeStep::enqueue_from_hidden(const at::Tensor& state) {
  check(first_rows_ == 1 && state.numel() == hidden_, "one row of a hidden_ state, of a request of one token");
  first_rows_ = 0;
  buffers_.normed_row().copy_(state.view({-1}));
  ProductParams params = product(Matrix::head, model_.head, 1, ProductInput::activations, ProductOutput::values);
  params.x = buffers_.normed(1);
  params.y = buffers_.logits();
  launch_product(params, type_, 1, ProductInput::activations, ProductOutput::values, false, stream_);
  queue_sampling(1, -1);
}

std::vector<KernelTimes> CudaDecodeStep::timeline() const {
  std::vector<KernelTimes> kernels;
  if (!timeline_marks_.defined()) return kernels;
  const at::Tensor marks = timeline_marks_.cpu();
  const auto* mark = marks.const_data_ptr<std::int64_t>();
  for (const std::string& name : step_names_) {
    kernels.push_back({name,
                       static_cast<std::uint64_t>(mark[0]),
                       static_cast<std::uint64_t>(mark[1]),
                       static_cast<std::uint64_t>(mark[2]),
                       {static_cast<std::uint64_t>(mark[3]), static_cast<std::uint64_t>(mark[4]),
                        static_cast<std::uint64_t>(mark[5])}});
    mark += kMarks;
  }
  return kernels;
}

StepToken CudaDecodeStep::result(int index) {
  const std::uint32_t serial = (first_serial_ + static_cast<std::uint32_t>(index)) & kSerialMask;
  const std::size_t slot = serial % kResultSlots;
  using Clock = std::chrono::steady_clock;
  // A kernel gives up on another rank by itself; the host waits somewhat longer before it gives up on the kernel.
  const auto deadline = Clock::now() + std::chrono::duration<double>(options_.wait_limit_seconds + 10);
  StepResult result = decode_result(results_.load(slot));
  for (std::uint64_t spins = 1; result.serial != serial; ++spins) {
    if (spins % 4096 == 0) {
      const cudaError_t status = cudaStreamQuery(stream_);
      if (status != cudaSuccess && status != cudaErrorNotReady) check_cuda(status, "a decode step");
      if (Clock::now() > deadline)
        throw EnvironmentError("the GPU has not finished a decode step in {} s", options_.wait_limit_seconds + 10);
      std::this_thread::yield();
    }
    result = decode_result(results_.load(slot));
  }
  next_serial_ = (serial + 1) & kSerialMask;
  switch (result.end) {
    case StepEnd::none:
      return {result.token, StepStop::running};
    case StepEnd::length:
      return {result.token, StepStop::length};
    case StepEnd::eos:
      return {result.token, StepStop::eos};
    case StepEnd::trigger:
      return {result.token, StepStop::trigger};
    case StepEnd::bad_logits:
      throw UserError(
          "the model_'s logits are not numbers: its weights are broken, or the compute type_ overflows (try --dtype "
          "float32)");
    case StepEnd::lost_rank:
      throw EnvironmentError("another rank has not sent its part of a decode step within {} s: it has died or is stuck",
                             options_.wait_limit_seconds);
  }
  throw InternalError("a decode step ended for an unknown reason");
}

}  // namespace

std::string cuda_step_obstacle(const StepModel& model) {
  const auto type = model.head.scalar_type();
  if (!model.head.is_cuda()) return "they run on GPUs";
  if (!has_hopper_code(model.head.get_device()))
    return "they need a GPU of compute capability 9.0 or more, and a build for it";
  if (type != at::kBFloat16 && type != at::kHalf) return "they compute in bfloat16 and float16";
  if (model.head_dim != 64 && model.head_dim != 128)
    return fmt::format("head_dim is {}, not 64 or 128", model.head_dim);
  if (!model.uniform_groups) return "the KV heads of a rank serve different numbers of query heads";
  const std::int64_t hidden = model.head.size(1);
  if (hidden % 8 != 0 || hidden > kMaxHiddenSize)
    return fmt::format("hidden_size is {}: not a multiple of 8 up to {}", hidden, kMaxHiddenSize);
  const std::int64_t intermediate = model.layers.front().down.size(1);
  if (intermediate % 8 != 0) return fmt::format("a rank's {} columns of down_proj are no multiple of 8", intermediate);
  if (model.cache.size(3) % 16 != 0) return "pages of the cache hold no whole tiles";
  return "";
}

std::unique_ptr<DecodeStep> create_cuda_decode_step(StepModel model, const ProcessGroup& group,
                                                    Collectives& collectives, const DecodeStep::Options& options) {
  return std::make_unique<CudaDecodeStep>(std::move(model), group, collectives, options);
}

}  // namespace specthink
