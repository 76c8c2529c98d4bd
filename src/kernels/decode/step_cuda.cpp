#include <ATen/ATen.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstring>
#include <limits>
#include <optional>
#include <thread>
#include <type_traits>

#include "kernels/decode/buffers.h"
#include "kernels/decode/linear/linear.h"
#include "kernels/decode/linear/weights.h"
#include "kernels/decode/queue.h"
#include "kernels/decode/rows.h"
#include "kernels/decode/slot_state.h"
#include "kernels/device/cuda_handles.h"
#include "kernels/device/hopper.h"
#include "kernels/prefill/linear_device.h"
#include "specthink/kernels/decode_step.h"

namespace specthink::inline kernels {
namespace {

/// The counts that graphs are built for, up to the smallest that holds `most` rows.
std::vector<int> row_counts(int most) {
  std::vector<int> counts(kStepRowCounts.begin(), kStepRowCounts.end());
  for (const int rows : kBatchRowCounts) {
    if (counts.back() < most) counts.push_back(rows);
  }
  return counts;
}

/// Rows from which on a step is a batch, but for few rows of one sequence. The matrices of small models are so short
/// that sixteen rows take longer to multiply than to load, where tiles of 16-bit weights do not.
int least_batch_of(const LoadedShard& model) {
  constexpr std::int64_t kSmallHidden = 2048;
  const bool is_small = model.part.hidden_size <= kSmallHidden && !model.part.float8_linear &&
                        batch_obstacle(model, StepKernels::hopper).empty();
  return is_small ? kMaxStepRows : kMaxStepRows + 1;
}

/// The rows as the device gets them: consecutive, in order, the others padding.
StepLayout layout_of(std::span<const StepRows> sequences) {
  StepLayout layout{};
  for (StepRow& row : layout.rows) row = {-1, -1, -1, -1};
  int next_row = 0;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const auto& [slot, tokens, proposals] = sequences[i];
    const int count = tokens.empty() ? 1 : static_cast<int>(tokens.size());
    check(slot >= 0 && slot < kMaxSlots, "a slot that a step does not have");
    check(next_row + count <= kMaxBatchRows, "more rows than a step takes");
    check(proposals >= 0 && proposals < count, "more proposals than tokens behind the first");
    for (std::size_t other = 0; other < i; ++other) check(sequences[other].slot != slot, "a slot twice in a step");
    layout.entries[i] = {0, count, next_row, slot};
    layout.proposals[i] = proposals;
    for (int row = 0; row < count; ++row) {
      const int sampled = row - (count - 1 - proposals);
      layout.rows[next_row + row] = {slot, static_cast<std::int32_t>(i), sampled < 0 ? -1 : sampled,
                                     tokens.empty() ? -1 : tokens[static_cast<std::size_t>(row)]};
    }
    next_row += count;
  }
  return layout;
}

class CudaDecodeStep final : public DecodeStep {
 public:
  CudaDecodeStep(LoadedShard model, const ProcessGroup& group, Collectives& collectives, const Options& options)
      : model_(std::move(model)),
        options_(options),
        row_counts_(row_counts(options.max_rows)),
        buffers_(model_, group, options_.all_reduce, row_counts_.back()),
        stream_(c10::cuda::getCurrentCUDAStream(model_.device().index())),
        results_(kMaxSlots * kResultSlots * (1 + kStatisticsWords)),
        abort_flag_(1),
        queue_(model_, buffers_, collectives, options_, row_counts_.back(), wait_limit(), results_.data(), stream_) {
    using Kind = DecodeQueue::Kind;
    check(options.max_rows <= kMaxStepRows || batch_obstacle(model_, options.kernels).empty(),
          "a batch of a model that takes none");
    const bool is_portable = options.kernels == StepKernels::portable;
    const int least_batch = is_portable ? 0 : least_batch_of(model_);
    for (const int rows : row_counts_) {
      if (is_portable) queue_.warm_up_products(rows);
      if (rows <= (is_portable ? 1 : kMostRowsOfSequence)) {
        graphs_of_one_.emplace_back(stream_, [&] { queue_.step(rows, is_portable ? Kind::portable : Kind::one); });
      }
      if (rows > 1) {
        const Kind kind = is_portable ? Kind::portable : rows >= least_batch ? Kind::batch : Kind::several;
        graphs_of_several_.emplace_back(stream_, [&] { queue_.step(rows, kind); });
      }
    }
    check_cuda(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    abort_hook_.emplace(group.failure_report(), [this] { abort(); });
    group.barrier();  // every rank's buffers are ready before the first step writes into them
  }

  ~CudaDecodeStep() override {
    abort_hook_.reset();
    cudaStreamSynchronize(stream_);
  }

  bool fused() const override { return buffers_.fused(); }
  int max_rows() const override { return row_counts_.back(); }
  void set_stop_table(int id, std::span<const std::uint16_t> entries, std::int64_t vocab) override;
  void begin(int slot, const StepRequest& request) override;
  void set_rows(std::span<const StepRows> rows) override;
  void enqueue() override;
  void enqueue_from_hidden(int slot, const at::Tensor& hidden) override;
  StepToken result(int slot, int index) override;
  void abort() override { abort_flag_.store(0, 1); }
  at::Tensor logits(int rows) const override { return buffers_.logits_tensor().narrow(0, 0, rows); }
  std::vector<KernelTimes> timeline() const override { return queue_.timeline(); }
  std::int64_t buffer_bytes() const override { return buffers_.bytes() + queue_.bytes(); }

 private:
  /// What the host knows of a slot.
  struct Slot {
    std::uint32_t first_serial =
        1;  // number of the request's first result; 0 is what the result words hold before the first
    std::uint32_t next_serial = 1;
    bool begun = false;    // a request
    bool started = false;  // its first step is enqueued: there is a token to go on with
    bool measures = false;
    at::Tensor forced;  // ids that the request emits
  };
  struct StopTable {
    at::Tensor entries;  // uint16 as int16
    std::int64_t vocab = 0;
  };

  SpinLimit wait_limit() const {
    SpinLimit limit;
    limit.failed = buffers_.failed();
    limit.abort = abort_flag_.data();
    limit.nanoseconds = static_cast<std::uint64_t>(options_.wait_limit_seconds * 1e9);
    return limit;
  }
  std::size_t index_of(int rows) const {
    const auto count = std::ranges::lower_bound(row_counts_, rows);
    check(count != row_counts_.end(), "more rows than the steps are built for");
    return static_cast<std::size_t>(count - row_counts_.begin());
  }
  Slot& slot_of(int slot) {
    check(slot >= 0 && slot < kMaxSlots, "a slot that a step does not have");
    return slots_[static_cast<std::size_t>(slot)];
  }
  StepResult wait_for(std::size_t word, std::uint32_t serial) const;
  TokenStatistics statistics_of(std::size_t word) const;

  LoadedShard model_;
  Options options_;
  std::vector<int> row_counts_;  // that graphs are built for
  DecodeBuffers buffers_;
  c10::cuda::CUDAStream stream_;
  MappedArray<std::uint64_t> results_;  // [kMaxSlots, kResultSlots], and kStatisticsWords for each of them
  MappedArray<std::uint32_t> abort_flag_;
  std::optional<FailureReport::AbortHook> abort_hook_;
  DecodeQueue queue_;
  std::vector<Graph> graphs_of_one_;      // for the first of row_counts_: steps of one sequence
  std::vector<Graph> graphs_of_several_;  // for row_counts_ without the first: of any number
  std::vector<StopTable> stop_tables_;
  std::array<Slot, kMaxSlots> slots_;
  std::vector<int> slots_of_rows_;  // in their order
  int rows_ = 0;
  bool has_tokens_ = false;  // some of the rows: they are of one step
  bool has_run_ = false;     // a step over these rows is enqueued
  StepLayout layout_{};
  bool layout_on_device_ = false;
};

void CudaDecodeStep::set_stop_table(int id, std::span<const std::uint16_t> entries, std::int64_t vocab) {
  check(id >= 0, "ids of stop tables count from 0");
  if (static_cast<std::size_t>(id) >= stop_tables_.size()) stop_tables_.resize(static_cast<std::size_t>(id) + 1);
  const auto bytes = at::from_blob(const_cast<std::uint16_t*>(entries.data()),
                                   {static_cast<std::int64_t>(entries.size())}, at::TensorOptions(at::kShort));
  check_cuda(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");  // a step may still read the old table
  stop_tables_[static_cast<std::size_t>(id)] = {bytes.to(model_.device()), vocab};
}

void CudaDecodeStep::begin(int slot, const StepRequest& request) {
  Slot& which = slot_of(slot);
  check(request.eos_ids.size() <= static_cast<std::size_t>(kMaxEosIds), "more EOS ids than a step knows");
  check(request.max_tokens >= 1, "a request of no tokens");
  check(request.position >= 0 && request.position + request.max_tokens <= buffers_.positions(),
        "a request beyond the cache");
  const StepSampling& sampling = request.sampling;
  check(sampling.params.temperature == 0 || (sampling.params.top_k >= 1 && sampling.params.top_k <= kMaxCandidates),
        "a top_k that the device does not sample from");
  check(sampling.vocab_limit >= 1, "a request without a vocabulary");
  check(request.stop_table < static_cast<int>(stop_tables_.size()), "a stop table that has not been set");
  // Words of the request before that nobody has read, or that are still to come, have other serial numbers.
  which.first_serial = (which.next_serial + kResultSlots) & kSerialMask;
  which.next_serial = which.first_serial;
  which.begun = true;
  which.started = false;
  SlotState state{};
  state.position = static_cast<std::int32_t>(request.position);
  state.left = request.max_tokens;
  state.min_left = request.min_tokens;
  state.serial = which.first_serial;
  state.stop_state = request.stop_state;
  if (request.stop_table >= 0) {
    const StopTable& table = stop_tables_[static_cast<std::size_t>(request.stop_table)];
    state.stop_entries = static_cast<const std::uint16_t*>(table.entries.const_data_ptr());
    state.stop_vocab = table.vocab;
  }
  state.vocab_limit = sampling.vocab_limit;
  if (!request.forced.empty()) {
    check(request.forced.size() >= static_cast<std::size_t>(request.max_tokens),
          "fewer forced ids than can be emitted");
    which.forced =
        at::from_blob(const_cast<TokenId*>(request.forced.data()), {request.max_tokens}, at::kInt).to(model_.device());
    state.forced_end = which.forced.const_data_ptr<std::int32_t>() + request.max_tokens;
  }
  which.measures = request.statistics || request.max_entropy < std::numeric_limits<float>::infinity();
  check(!which.measures || request.forced.empty(), "what is forced is not measured");
  check(request.read_ids.empty(), "a decode step reads nothing");
  state.measures = which.measures;
  state.max_entropy = request.max_entropy;
  state.stop_token_plus_1 = request.stop_token + 1;
  state.temperature = sampling.params.temperature;
  state.top_p = sampling.params.top_p;
  state.top_k = sampling.params.temperature == 0 ? 1 : sampling.params.top_k;
  state.seed = sampling.draw.seed;
  state.problem = sampling.draw.problem;
  state.run = sampling.draw.run;
  state.purpose = static_cast<std::uint32_t>(sampling.purpose);
  state.num_eos = static_cast<std::int32_t>(request.eos_ids.size());
  std::copy(request.eos_ids.begin(), request.eos_ids.end(), state.eos);
  launch_begin_request(buffers_.slots() + slot, state, stream_);
  layout_on_device_ = false;  // its positions are those of the slots
}

void CudaDecodeStep::set_rows(std::span<const StepRows> rows) {
  check(!rows.empty(), "a step without rows");
  const StepLayout layout = layout_of(rows);
  static_assert(std::has_unique_object_representations_v<StepLayout>);
  // The device has moved them on by itself: nothing to tell it.
  if (layout_on_device_ && !has_tokens_ && std::memcmp(&layout, &layout_, sizeof(layout)) == 0) return;
  layout_ = layout;
  rows_ = 0;
  slots_of_rows_.clear();
  has_tokens_ = false;
  for (const StepRows& sequence : rows) {
    check(slot_of(sequence.slot).begun, "rows of a slot without a request");
    slots_of_rows_.push_back(sequence.slot);
    rows_ += sequence.tokens.empty() ? 1 : static_cast<int>(sequence.tokens.size());
    has_tokens_ |= !sequence.tokens.empty();
  }
  has_run_ = false;
  layout_on_device_ = false;
}

void CudaDecodeStep::enqueue() {
  check(rows_ > 0 && !(has_tokens_ && has_run_), "rows with tokens are of one step");
  for (std::size_t i = 0; i < slots_of_rows_.size(); ++i) {
    Slot& slot = slot_of(slots_of_rows_[i]);
    check(slot.started || layout_.rows[layout_.entries[i].first_row].token >= 0, "a first step without tokens");
    slot.started = true;
  }
  const std::size_t index = index_of(rows_);
  if (!layout_on_device_) launch_set_layout(buffers_.layout(), layout_, row_counts_[index], buffers_.slots(), stream_);
  layout_on_device_ = true;
  has_run_ = true;
  const bool is_of_one = slots_of_rows_.size() == 1 && index < graphs_of_one_.size();
  (is_of_one ? graphs_of_one_[index] : graphs_of_several_[index - 1]).launch(stream_);
}

void CudaDecodeStep::enqueue_from_hidden(int slot, const at::Tensor& hidden) {
  Slot& which = slot_of(slot);
  check(which.begun && !which.started && hidden.numel() == model_.part.hidden_size,
        "one hidden state, of a request that has just begun");
  which.started = true;
  const StepRows row{slot, {}, 0};
  launch_set_layout(buffers_.layout(), layout_of(std::span(&row, 1)), 1, buffers_.slots(), stream_);
  layout_on_device_ = false;
  queue_.choice(hidden);
}

/// Waits until the word has this serial number.
StepResult CudaDecodeStep::wait_for(std::size_t word, std::uint32_t serial) const {
  using Clock = std::chrono::steady_clock;
  // A kernel gives up on another rank by itself; the host waits somewhat longer before it gives up on the kernel.
  constexpr double kLongerThanKernels = 10;  // seconds
  constexpr std::uint64_t kSpinsPerQuery = 4096;
  const double seconds = options_.wait_limit_seconds + kLongerThanKernels;
  const auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
  StepResult result = decode_result(results_.load(word));
  for (std::uint64_t spins = 1; result.serial != serial; ++spins) {
    if (spins % kSpinsPerQuery == 0) {
      const cudaError_t status = cudaStreamQuery(stream_);
      if (status != cudaSuccess && status != cudaErrorNotReady) check_cuda(status, "a decode step");
      if (Clock::now() > deadline) throw EnvironmentError("the GPU has not finished a decode step in {} s", seconds);
      std::this_thread::yield();
    }
    result = decode_result(results_.load(word));
  }
  return result;
}

/// What came before the word.
TokenStatistics CudaDecodeStep::statistics_of(std::size_t word) const {
  const std::size_t first = kMaxSlots * kResultSlots + word * kStatisticsWords;
  const std::uint64_t raw = results_.load(first);
  const std::uint64_t processed = results_.load(first + 1);
  return {std::bit_cast<float>(static_cast<std::uint32_t>(raw)),
          std::bit_cast<float>(static_cast<std::uint32_t>(raw >> 32)),
          std::bit_cast<float>(static_cast<std::uint32_t>(processed))};
}

StepToken CudaDecodeStep::result(int slot, int index) {
  Slot& which = slot_of(slot);
  const std::uint32_t serial = (which.first_serial + static_cast<std::uint32_t>(index)) & kSerialMask;
  check(serial == which.next_serial, "results are read in order, each once");
  const StepResult result = wait_for(static_cast<std::size_t>(slot) * kResultSlots + serial % kResultSlots, serial);
  which.next_serial = (serial + 1) & kSerialMask;
  if (result.end == kBadLogits)
    throw UserError(
        "the model's logits are not numbers: its weights are broken, or the compute type overflows (try --dtype "
        "float32)");
  if (result.end == kLostRank)
    throw EnvironmentError("another rank has not sent its part of a decode step within {} s: it has died or is stuck",
                           options_.wait_limit_seconds);
  StepToken token{.id = result.token, .end = {}, .more = result.more};
  for (const EndReason reason :
       {EndReason::length, EndReason::eos, EndReason::trigger, EndReason::stop_token, EndReason::uncertain}) {
    if (result.end == end_code(reason)) token.end = reason;
  }
  check(token.end.has_value() == (result.end != kNoEnd), "a decode step ended for an unknown reason");
  if (which.measures)
    token.statistics = statistics_of(static_cast<std::size_t>(slot) * kResultSlots + serial % kResultSlots);
  return token;
}

static_assert(DecodeStep::kMaxUnreadResults == static_cast<int>(kResultSlots));

}  // namespace

std::string step_obstacle(const LoadedShard& model, StepKernels kernels) {
  const bool is_portable = kernels == StepKernels::portable;
  if (!model.device().is_cuda()) return "they run on GPUs";
  if (!is_portable && !is_hopper(model.device().index()))
    return "they are for GPUs of compute capability 9.0, and need a build for it";
  if (!is_portable && model.part.has_windows()) return "its layers attend to a window of positions";
  if (model.compute_type() != at::kBFloat16 && model.compute_type() != at::kHalf)
    return "they compute in bfloat16 and float16";
  if (model.part.head_dim != 64 && model.part.head_dim != 128)
    return fmt::format("head_dim is {}, not 64 or 128", model.part.head_dim);
  if (!model.uniform_groups) return "the KV heads of a rank serve different numbers of query heads";
  const std::int64_t hidden = model.part.hidden_size;
  if (hidden % 8 != 0 || hidden > kMaxHiddenSize)
    return fmt::format("hidden_size is {}: not a multiple of 8 up to {}", hidden, kMaxHiddenSize);
  const std::int64_t intermediate = model.part.intermediate_size;
  if (intermediate % 8 != 0) return fmt::format("a rank's {} columns of down_proj are no multiple of 8", intermediate);
  for (const LayerWeights& layer : model.weights.layers) {
    for (const WeightMatrix* matrix : {&layer.qkv, &layer.output, &layer.gate_up, &layer.down}) {
      if (is_portable && format_of(*matrix) != WeightFormat::elements) return "its weights are 8-bit floats";
      if (const std::string obstacle = linear_obstacle(*matrix); !obstacle.empty()) return obstacle;
    }
  }
  if (model.cache.size(3) % 16 != 0) return "pages of the cache hold no whole tiles";
  return "";
}

std::string batch_obstacle(const LoadedShard& model, StepKernels kernels) {
  if (kernels == StepKernels::portable) return "";
  const auto fits = fits_prefill_linear;
  bool all_fit = fits(model.weights.head, false);
  for (const LayerWeights& layer : model.weights.layers) {
    all_fit = all_fit && fits(layer.qkv, false) && fits(layer.output, false) && fits(layer.gate_up, true) &&
              fits(layer.down, false);
  }
  return all_fit ? "" : "batches take matrices whose sizes are multiples of 8, of 8-bit weights 16, on Hopper";
}

std::unique_ptr<DecodeStep> DecodeStep::create(LoadedShard model, const ProcessGroup& group, Collectives& collectives,
                                               const Options& options) {
  return std::make_unique<CudaDecodeStep>(std::move(model), group, collectives, options);
}

}  // namespace specthink::inline kernels
