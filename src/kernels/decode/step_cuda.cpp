#include <ATen/ATen.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <thread>

#include "kernels/decode/buffers.h"
#include "kernels/decode/linear.h"
#include "kernels/decode/queue.h"
#include "kernels/decode/request_state.h"
#include "kernels/decode/rows.h"
#include "kernels/device/cuda_handles.h"
#include "kernels/device/hopper.h"
#include "specthink/kernels/decode_step.h"

namespace specthink {
namespace {

constexpr std::array kRowCounts{1, 2, 4, 8, 16};

int index_of(int rows) {
  for (std::size_t i = 0; i < kRowCounts.size(); ++i) {
    if (rows <= kRowCounts[i]) return static_cast<int>(i);
  }
  throw InternalError("a decode step of {} rows", rows);
}

class CudaDecodeStep final : public DecodeStep {
 public:
  CudaDecodeStep(LoadedShard model, const ProcessGroup& group, Collectives& collectives, const Options& options)
      : model_(std::move(model)),
        options_(options),
        buffers_(model_, group, options_.all_reduce),
        stream_(c10::cuda::getCurrentCUDAStream(model_.device().index())),
        results_(kResultSlots),
        abort_flag_(1),
        queue_(model_, buffers_, collectives, options_, wait_limit(), {results_.data(), kResultSlots}, stream_) {
    for (const int rows : kRowCounts) graphs_.emplace_back(stream_, [&] { queue_.step(rows); });
    check_cuda(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    abort_hook_.emplace(group.failure_report(), [this] { abort(); });
    group.barrier();  // every rank's buffers are ready before the first step writes into them
  }

  ~CudaDecodeStep() override {
    abort_hook_.reset();
    cudaStreamSynchronize(stream_);
  }

  bool fused() const override { return buffers_.fused(); }
  void set_stop_table(std::span<const std::uint16_t> entries, std::int64_t vocab) override;
  void begin(const StepRequest& request) override;
  void enqueue() override;
  void enqueue_from_hidden(const at::Tensor& hidden) override;
  StepToken result(int index) override;
  void abort() override { abort_flag_.store(0, 1); }
  at::Tensor logits(int rows) const override { return buffers_.logits_tensor().narrow(0, 0, rows); }
  std::vector<KernelTimes> timeline() const override { return queue_.timeline(); }
  std::int64_t buffer_bytes() const override { return buffers_.bytes(); }

 private:
  SpinLimit wait_limit() const {
    SpinLimit limit;
    limit.failed = buffers_.failed();
    limit.abort = abort_flag_.data();
    limit.nanoseconds = static_cast<std::uint64_t>(options_.wait_limit_seconds * 1e9);
    return limit;
  }

  static constexpr std::uint32_t kResultSlots = 64;

  LoadedShard model_;
  Options options_;
  DecodeBuffers buffers_;
  c10::cuda::CUDAStream stream_;
  MappedArray<std::uint64_t> results_;
  MappedArray<std::uint32_t> abort_flag_;
  std::optional<FailureReport::AbortHook> abort_hook_;
  DecodeQueue queue_;
  std::vector<Graph> graphs_;  // of kRowCounts
  at::Tensor stop_entries_;    // uint16 as int16
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
  stop_entries_ = bytes.to(model_.device());
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
  state.stop_entries =
      static_cast<const std::uint16_t*>(stop_entries_.defined() ? stop_entries_.const_data_ptr() : nullptr);
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

void CudaDecodeStep::enqueue_from_hidden(const at::Tensor& hidden) {
  check(first_rows_ == 1 && hidden.numel() == model_.part.hidden_size, "one hidden state, of a request of one token");
  first_rows_ = 0;
  queue_.choice(hidden);
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
          "the model's logits are not numbers: its weights are broken, or the compute type overflows (try --dtype "
          "float32)");
    case StepEnd::lost_rank:
      throw EnvironmentError("another rank has not sent its part of a decode step within {} s: it has died or is stuck",
                             options_.wait_limit_seconds);
  }
  throw InternalError("a decode step ended for an unknown reason");
}

}  // namespace

std::string step_obstacle(const LoadedShard& model) {
  const WeightType type = model.weights.head.type;
  if (!model.device().is_cuda()) return "they run on GPUs";
  if (!has_hopper_code(model.device().index()))
    return "they need a GPU of compute capability 9.0 or more, and a build for it";
  if (type != WeightType::bfloat16 && type != WeightType::float16) return "they compute in bfloat16 and float16";
  if (model.part.head_dim != 64 && model.part.head_dim != 128)
    return fmt::format("head_dim is {}, not 64 or 128", model.part.head_dim);
  if (!model.uniform_groups) return "the KV heads of a rank serve different numbers of query heads";
  const std::int64_t hidden = model.part.hidden_size;
  if (hidden % 8 != 0 || hidden > kMaxHiddenSize)
    return fmt::format("hidden_size is {}: not a multiple of 8 up to {}", hidden, kMaxHiddenSize);
  const std::int64_t intermediate = model.part.intermediate_size;
  if (intermediate % 8 != 0) return fmt::format("a rank's {} columns of down_proj are no multiple of 8", intermediate);
  if (model.cache.size(3) % 16 != 0) return "pages of the cache hold no whole tiles";
  return "";
}

std::unique_ptr<DecodeStep> DecodeStep::create(LoadedShard model, const ProcessGroup& group, Collectives& collectives,
                                               const Options& options) {
  return std::make_unique<CudaDecodeStep>(std::move(model), group, collectives, options);
}

}  // namespace specthink
