#include <ATen/ATen.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <bit>

#include "kernels/decode/attention/attention.h"
#include "kernels/decode/linear/linear.h"
#include "kernels/decode/rows.h"
#include "kernels/decode/sampling.h"
#include "kernels/decode/slot_state.h"
#include "kernels/device/hopper.h"
#include "kernels/device/tensor_map.h"
#include "kernels/measure/graph_timer.h"
#include "specthink/base/error.h"
#include "specthink/kernels/kernel_benchmark.h"
#include "specthink/kernels/limits.h"
#include "specthink/kernels/random_fill.h"

namespace specthink::inline kernels {
namespace {

constexpr std::int64_t kLeastLaunches = 64;  // of a graph: its start is nothing beside them
constexpr std::int64_t kAlignment = 128;     // elements: 256 bytes
constexpr std::int64_t kPoolColumns = 8192;

std::int64_t aligned(std::int64_t elements) { return (elements + kAlignment - 1) / kAlignment * kAlignment; }

/// A product of a step.
struct LinearWeights {
  DecodeLinear which = DecodeLinear::qkv;
  LinearOutput output = LinearOutput::values;
  MatrixShape weights;

  std::int64_t output_rows() const { return output == LinearOutput::swiglu ? weights.rows / 2 : weights.rows; }
};

LinearWeights linear_of(const ModelDescription& part, DecodeKernel kernel) {
  const MatrixShape weights = matrix_shape(part, kernel);
  switch (kernel) {
    case DecodeKernel::qkv:
      return {DecodeLinear::qkv, LinearOutput::values, weights};
    case DecodeKernel::output:
      return {DecodeLinear::output, LinearOutput::partials, weights};
    case DecodeKernel::gate_up:
      return {DecodeLinear::gate_up, LinearOutput::swiglu, weights};
    case DecodeKernel::down:
      return {DecodeLinear::down, LinearOutput::partials, weights};
    case DecodeKernel::head:
      return {DecodeLinear::head, LinearOutput::values, weights};
    default:
      throw InternalError("a kernel that is no matrix product");
  }
}

void check_shape(const ModelDescription& part) {
  if (part.head_dim != 64 && part.head_dim != 128) {
    throw UserError("the decode kernels know a head_dim of 64 or 128, not {}", part.head_dim);
  }
  if (part.num_kv_heads < 1 || part.num_heads % part.num_kv_heads != 0) {
    throw UserError("the decode kernels want as many query heads for every KV head; a rank has {} and {}",
                    part.num_heads, part.num_kv_heads);
  }
  if (part.hidden_size % 8 != 0 || part.hidden_size > kMaxHiddenSize || part.intermediate_size % 8 != 0) {
    throw UserError(
        "the decode kernels want multiples of 8, up to {} for the hidden size; a rank has hidden {} and "
        "intermediate {}",
        kMaxHiddenSize, part.hidden_size, part.intermediate_size);
  }
}

class KernelTimer {
 public:
  KernelTimer(const ModelDescription& part, ElementType type, c10::Device device)
      : part_(part),
        type_(type),
        guard_(c10::cuda::getStreamFromPool(false, device.index())),
        stream_(c10::cuda::getCurrentCUDAStream(device.index())),
        device_(at::TensorOptions(device)),
        abort_flag_(1),
        results_(kResultSlots) {
    check_cuda(cudaDeviceGetAttribute(&sms_, cudaDevAttrMultiProcessorCount, device.index()), "cudaDeviceGetAttribute");
    failed_ = at::zeros({1}, device_.dtype(at::kInt));
    limit_.failed = static_cast<std::uint32_t*>(failed_.mutable_data_ptr());
    limit_.abort = abort_flag_.data();
    limit_.nanoseconds = 1'000'000'000;
    fill_pool();
  }

  KernelTime time(const KernelCase& which) {
    switch (which.kernel) {
      case DecodeKernel::embed:
        return time_embed(which);
      case DecodeKernel::norm:
        return time_norm(which);
      case DecodeKernel::attention:
        return time_attention(which);
      case DecodeKernel::sampling:
        return time_sampling(which);
      default:
        return time_linear(which);
    }
  }

 private:
  at::TensorOptions elements() const {
    return device_.dtype(type_ == ElementType::bfloat16 ? at::kBFloat16 : at::kHalf);
  }
  at::TensorOptions floats() const { return device_.dtype(at::kFloat); }

  /// Elements of the pool that a case's copies take, one copy after the other.
  std::int64_t copy_elements(const KernelCase& which) const {
    if (which.kernel == DecodeKernel::attention) return 2 * aligned(cache_elements(which));
    return aligned(matrix_shape(part_, which.kernel).elements());
  }

  std::int64_t pages(const KernelCase& which) const {
    return (which.context + which.rows + kPageTokens - 1) / kPageTokens;
  }
  /// Bytes of the keys; the values have as many.
  std::int64_t cache_elements(const KernelCase& which) const { return pages(which) * kPageTokens * part_.kv_width(); }

  void fill_pool() {
    std::int64_t most = part_.vocab_size * part_.hidden_size;
    for (const KernelCase& which : kernel_cases(part_)) {
      most = std::max(most, rotated_copies(which.bytes) * copy_elements(which));
    }
    pool_ = at::empty({(most + kPoolColumns - 1) / kPoolColumns, kPoolColumns}, elements());
    random_fill(pool_, {0, 0, kPoolColumns}, 1, 0.02f);
    pool_ = pool_.view({-1});
  }

  char* pool_at(std::int64_t element) const { return static_cast<char*>(pool_.mutable_data_ptr()) + 2 * element; }

  /// Seconds of one of the launches that `launch(index, dependent)` queues.
  template <typename Launch>
  double seconds_of(std::int64_t launches, bool dependent, const Launch& launch) {
    const Graph graph(stream_, [&] {
      for (std::int64_t i = 0; i < launches; ++i) launch(i, dependent && i > 0);
    });
    return seconds_of_graph(graph, stream_) / static_cast<double>(launches);
  }

  /// `launch(copy, dependent)`, taking turns over `copies`.
  template <typename Launch>
  KernelTime time_launches(const KernelCase& which, std::int64_t copies, bool overlaps, const Launch& launch) {
    const std::int64_t launches = (kLeastLaunches + copies - 1) / copies * copies;
    const auto turn = [&](std::int64_t i, bool dependent) { launch(static_cast<std::size_t>(i % copies), dependent); };
    KernelTime result{which, seconds_of(launches, false, turn), {}};
    if (overlaps) result.overlapped = seconds_of(launches, true, turn);
    if (failed_.item<int>() != 0) throw InternalError("kernel {} waited for what nobody sends", name_of(which));
    return result;
  }

  /// Random activations; zeros in the last, incomplete part of 32 columns and beyond.
  at::Tensor activations(std::int64_t columns, int rows) const {
    at::Tensor x = at::zeros({padded_columns(columns) * rows}, elements());
    x.narrow(0, 0, columns / 32 * 32 * rows).normal_();
    return x;
  }

  template <typename Plain>
  at::Tensor device_copy(const Plain& value) const {
    return at::from_blob(const_cast<Plain*>(&value), {static_cast<std::int64_t>(sizeof(value))}, at::kByte)
        .to(device_.device());
  }

  /// One sequence in slot 0, whose last row is sampled.
  static StepLayout layout_of_one(std::int64_t position, int rows) {
    StepLayout layout{};
    layout.entries[0] = {static_cast<std::int32_t>(position), rows, 0, 0};
    for (int row = 0; row < kMaxStepRows; ++row) {
      layout.rows[row] = row < rows ? StepRow{0, 0, row == rows - 1 ? 0 : -1, 0} : StepRow{-1, -1, -1, -1};
    }
    return layout;
  }

  /// Partial sums of one rank that have arrived, and a slot before them to reset.
  struct Norm {
    at::Tensor received, reset, weight, residual;
    NormInput input;
  };
  Norm norm_input(int rows) const {
    Norm norm;
    norm.received = at::randn({rows * part_.hidden_size}, floats());
    norm.reset = at::empty_like(norm.received);
    norm.residual = at::empty_like(norm.received);
    norm.weight = at::ones({part_.hidden_size}, elements());
    norm.input.received.data = norm.received.const_data_ptr<float>();
    norm.input.received.rank_stride = rows * part_.hidden_size;
    norm.input.received.reset = norm.reset.mutable_data_ptr<float>();
    norm.input.weight = norm.weight.const_data_ptr();
    norm.input.residual_out = norm.residual.mutable_data_ptr<float>();
    norm.input.eps = 1e-6f;
    return norm;
  }

  KernelTime time_linear(const KernelCase& which) {
    const LinearWeights matrix = linear_of(part_, which.kernel);
    const LinearInput input = which.norm_inside ? LinearInput::norm : LinearInput::activations;
    const at::Tensor x = activations(matrix.weights.columns, which.rows);
    const Norm norm = norm_input(1);
    const at::Tensor floats_out = at::empty({which.rows * matrix.output_rows()}, floats());
    const at::Tensor elements_out = activations(matrix.output_rows(), which.rows);
    const at::Tensor residual = at::randn({which.rows * matrix.output_rows()}, floats());

    const bool float8 = is_float8(part_, which.kernel);
    const WeightFormat format = float8 ? WeightFormat::float8 : WeightFormat::elements;
    constexpr std::int64_t kBlock = 128;
    const at::Tensor scales =
        at::full({matrix.weights.rows / kBlock + 1, matrix.weights.columns / kBlock + 1}, 1e-3, floats());
    LinearParams params;
    params.rows = matrix.output_rows();
    params.columns = matrix.weights.columns;
    params.scales = {scales.const_data_ptr<float>(), static_cast<int>(scales.size(1)),
                     std::countr_zero(std::uint64_t{kBlock}), std::countr_zero(std::uint64_t{kBlock})};
    const bool is_short = is_short_layer(part_.hidden_size, part_.intermediate_size, sms_);
    params.geometry =
        choose_geometry(params.rows, params.columns, which.rows, input, matrix.output, sms_,
                        linear_shared_budget(matrix.which, which.rows, which.bytes, sms_, is_short, format), format);
    params.limit = limit_;
    params.x = x.const_data_ptr();
    params.norm = norm.input;
    params.y = matrix.output == LinearOutput::swiglu ? elements_out.mutable_data_ptr() : floats_out.mutable_data_ptr();
    params.partials.sent.to[0] = floats_out.mutable_data_ptr<float>();
    params.partials.residual = residual.const_data_ptr<float>();

    std::vector<LinearParams> copies;
    for (std::int64_t copy = 0; copy < rotated_copies(which.bytes); ++copy) {
      params.weights = make_tensor_map(pool_at(copy * copy_elements(which)), matrix.weights.rows,
                                       matrix.weights.columns * (float8 ? 1 : 2), params.geometry.group_rows);
      copies.push_back(params);
    }
    return time_launches(which, static_cast<std::int64_t>(copies.size()), true, [&](std::size_t copy, bool dependent) {
      launch_linear(copies[copy], type_, which.rows, input, matrix.output, dependent, stream_, format);
    });
  }

  KernelTime time_attention(const KernelCase& which) {
    const at::Tensor layout = device_copy(layout_of_one(which.context, which.rows));
    const std::int64_t columns = part_.qkv_width();
    const at::Tensor qkv = at::randn({which.rows * columns}, floats());
    const at::Tensor bias = at::zeros({columns}, elements());
    const at::Tensor norm_weight = at::ones({(part_.num_heads + part_.num_kv_heads) * part_.head_dim}, elements());
    const at::Tensor rope = at::rand({(which.context + which.rows) * part_.head_dim}, elements());
    const at::Tensor page_table = at::arange(pages(which), device_.dtype(at::kInt));
    const at::Tensor output = activations(part_.query_width(), which.rows);
    const at::Tensor split =
        at::full({attention_split_bytes(part_.num_kv_heads, part_.head_dim)}, 0xff, device_.dtype(at::kByte));

    AttentionParams params;
    params.layout = static_cast<const StepLayout*>(layout.const_data_ptr());
    params.qkv = qkv.const_data_ptr<float>();
    if (part_.qkv_bias) params.bias = bias.const_data_ptr();
    if (part_.qk_norm) params.norm_weight = norm_weight.const_data_ptr();
    params.cos = rope.const_data_ptr();
    params.sin = rope.const_data_ptr();
    params.page_tables = page_table.const_data_ptr<std::int32_t>();
    params.pages_per_slot = pages(which);
    params.output = output.mutable_data_ptr();
    params.heads = static_cast<int>(part_.num_heads);
    params.kv_heads = static_cast<int>(part_.num_kv_heads);
    params.head_dim = static_cast<int>(part_.head_dim);
    params.page_tokens = kPageTokens;
    params.eps = 1e-6f;
    params.scale = static_cast<float>(part_.attention_scale());
    params.split.results = split.mutable_data_ptr();
    params.split.limit = limit_;
    const at::Tensor tiles_of_part = at::zeros({1}, device_.dtype(at::kInt));
    params.split.tiles_of_part = tiles_of_part.mutable_data_ptr<int>();
    const bool is_of_entries = which.rows > kMostRowsOfSequence;
    if (is_of_entries) launch_entry_parts(params, type_, which.rows, 0, stream_);

    std::vector<AttentionParams> copies;
    for (std::int64_t copy = 0; copy < rotated_copies(which.bytes); ++copy) {
      params.keys = pool_at(copy * copy_elements(which));
      params.values = pool_at(copy * copy_elements(which) + aligned(cache_elements(which)));
      copies.push_back(params);
    }
    return time_launches(which, static_cast<std::int64_t>(copies.size()), true, [&](std::size_t copy, bool dependent) {
      (is_of_entries ? launch_entries_attention : launch_decode_attention)(copies[copy], type_, which.rows, 0,
                                                                           dependent, stream_);
    });
  }

  /// Select and choose, one launch after the other. The logits are in the L2 cache, as the head leaves them.
  KernelTime time_sampling(const KernelCase& which) {
    SlotState state{};
    state.left = 1 << 30;
    state.vocab_limit = part_.vocab_size;
    state.temperature = 0.6f;
    state.top_p = 0.95f;
    state.top_k = 20;
    const at::Tensor slot = device_copy(state);
    const at::Tensor layout = device_copy(layout_of_one(0, 1));
    const at::Tensor logits = at::randn({part_.vocab_size}, floats());
    const at::Tensor blocks = at::zeros({sampling_blocks(part_.vocab_size) * kMaxCandidates}, device_.dtype(at::kLong));
    const at::Tensor received = at::full({kRowKeys}, -1, device_.dtype(at::kLong));

    DecodeSampling sampling;
    sampling.slots = static_cast<SlotState*>(slot.mutable_data_ptr());
    sampling.layout = static_cast<StepLayout*>(layout.mutable_data_ptr());
    sampling.logits = logits.const_data_ptr<float>();
    sampling.logits_stride = part_.vocab_size;
    sampling.columns = part_.vocab_size;
    sampling.blocks = static_cast<CandidateKey*>(blocks.mutable_data_ptr());
    sampling.received = static_cast<CandidateKey*>(received.mutable_data_ptr());
    sampling.sent[0] = sampling.received;
    sampling.results = results_.data();
    sampling.limit = limit_;
    return time_launches(which, 1, true, [&](std::size_t, bool dependent) {
      launch_decode_sampling(sampling, SamplingPart::all, 1, dependent, stream_);
    });
  }

  KernelTime time_embed(const KernelCase& which) {
    constexpr std::int64_t kLayouts = 64;
    std::vector<at::Tensor> layouts;  // of different tokens, all over the table
    for (std::int64_t i = 0; i < kLayouts; ++i) {
      StepLayout layout = layout_of_one(0, which.rows);
      for (int row = 0; row < which.rows; ++row) {
        layout.rows[row].token = static_cast<std::int32_t>((i * which.rows + row) * 7919 % part_.vocab_size);
      }
      layouts.push_back(device_copy(layout));
    }
    const at::Tensor rows = at::empty({which.rows * part_.hidden_size}, floats());
    SentPartials sent;
    sent.to[0] = rows.mutable_data_ptr<float>();
    return time_launches(which, kLayouts, false, [&](std::size_t i, bool) {
      launch_embed_rows(static_cast<const StepLayout*>(layouts[i].const_data_ptr()), pool_.const_data_ptr(), 0,
                        part_.vocab_size, part_.hidden_size, which.rows, sent, type_, stream_);
    });
  }

  KernelTime time_norm(const KernelCase& which) {
    const Norm norm = norm_input(which.rows);
    const at::Tensor output = activations(part_.hidden_size, which.rows);
    return time_launches(which, 1, true, [&](std::size_t, bool dependent) {
      launch_norm_rows(norm.input, part_.hidden_size, which.rows, {.rows = output.mutable_data_ptr()}, limit_, type_,
                       dependent, stream_);
    });
  }

  ModelDescription part_;
  ElementType type_;
  c10::cuda::CUDAStreamGuard guard_;  // LibTorch's operators use the same stream
  c10::cuda::CUDAStream stream_;
  at::TensorOptions device_;
  MappedArray<std::uint32_t> abort_flag_;
  MappedArray<std::uint64_t> results_;
  SpinLimit limit_;
  int sms_ = 0;
  at::Tensor failed_;  // [1] int32
  at::Tensor pool_;    // random elements: matrices, caches, the embedding
};

}  // namespace

c10::Device kernel_benchmark_device() {
  if (c10::cuda::device_count() > 0) {
    if (has_hopper_code(0)) return {c10::kCUDA, 0};
    throw EnvironmentError("the decode kernels need a GPU of compute capability 9.0 or more, and a build for it");
  }
  throw EnvironmentError("the decode kernels run on a GPU, and there is none that CUDA can use: see nvidia-smi");
}

std::vector<KernelTime> time_kernels(const ModelDescription& part, ElementType type, c10::Device device) {
  check_shape(part);
  std::vector<KernelTime> times;
  KernelTimer timer(part, type, device);
  for (const KernelCase& which : kernel_cases(part)) times.push_back(timer.time(which));
  return times;
}

}  // namespace specthink::inline kernels
