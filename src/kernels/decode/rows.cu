#include <algorithm>
#include <type_traits>

#include "kernels/decode/half_scale.cuh"
#include "kernels/decode/rows.h"
#include "kernels/device/kernel_launch.cuh"
#include "kernels/device/ptx.cuh"
#include "kernels/exchange/exchange.cuh"

namespace specthink::inline kernels {
namespace {

constexpr int kEmbedThreads = 256;
constexpr int kNormThreads = 512;
constexpr int kNormQuads = kMaxHiddenSize / (4 * kNormThreads);
constexpr int kResetBlocks = 16;  // at least

__global__ void begin_request(SlotState* slot, const __grid_constant__ SlotState value) {
  static_assert(sizeof(SlotState) % sizeof(std::uint32_t) == 0);
  const auto* const from = reinterpret_cast<const std::uint32_t*>(&value);
  for (unsigned i = threadIdx.x; i < sizeof(SlotState) / sizeof(std::uint32_t); i += blockDim.x) {
    reinterpret_cast<std::uint32_t*>(slot)[i] = from[i];
  }
}

/// The first `kRows` rows of a layout: all that a step of so many rows looks at.
template <int kRows>
struct FirstRows {
  StepEntry entries[kRows];
  std::int32_t proposals[kRows];
  StepRow rows[kRows];

  explicit FirstRows(const StepLayout& layout) {
    std::copy_n(layout.entries, kRows, entries);
    std::copy_n(layout.proposals, kRows, proposals);
    std::copy_n(layout.rows, kRows, rows);
  }
};

template <int kRows>
__global__ void __launch_bounds__(kRows)
    set_layout(StepLayout* layout, const __grid_constant__ FirstRows<kRows> value, const SlotState* slots) {
  const unsigned i = threadIdx.x;
  StepEntry entry = value.entries[i];
  if (entry.rows > 0) entry.position = slots[entry.slot].position;
  layout->entries[i] = entry;
  layout->proposals[i] = value.proposals[i];
  StepRow row = value.rows[i];
  if (row.slot >= 0 && row.token < 0) row.token = slots[row.slot].token;
  layout->rows[i] = row;
}

template <typename T>
__global__ void __launch_bounds__(kEmbedThreads)
    embed_rows(const StepLayout* layout, const T* table, std::int64_t first_vocab, std::int64_t vocab_local,
               std::int64_t hidden, const __grid_constant__ SentPartials sent) {
  ptx::launch_dependents();
  const int row = static_cast<int>(blockIdx.y);
  const std::int64_t column = 4 * (static_cast<std::int64_t>(blockIdx.x) * kEmbedThreads + threadIdx.x);
  if (column >= hidden) return;
  const StepRow& which = layout->rows[row];
  const std::int64_t local = which.slot >= 0 ? which.token - first_vocab : -1;
  float4 value = {0, 0, 0, 0};
  if (local >= 0 && local < vocab_local) {
    const uint2 words = __ldg(reinterpret_cast<const uint2*>(table + local * hidden + column));
    const float2 low = ptx::unpack<T>(words.x);
    const float2 high = ptx::unpack<T>(words.y);
    value = {low.x, low.y, high.x, high.y};
  }
  const uint4 bits = {__float_as_uint(value.x), __float_as_uint(value.y), __float_as_uint(value.z),
                      __float_as_uint(value.w)};
#pragma unroll
  for (int rank = 0; rank < kMaxExchangeRanks; ++rank) {
    if (rank < sent.ranks) ptx::store_system(reinterpret_cast<uint4*>(sent.to[rank] + row * hidden + column), bits);
  }
}

/// A block for each row, and behind them some for the buffer of the slot before.
/// `kScaled`: the rows become float16.
template <typename T, bool kScaled>
__global__ void __launch_bounds__(kNormThreads)
    norm_rows(const __grid_constant__ NormInput norm, int hidden, int rows, T* output, bool is_row_major,
              float* inverses, const __grid_constant__ SpinLimit limit) {
  constexpr int kNormWarps = kNormThreads / 32;
  __shared__ float scratch[2 * kNormWarps];
  const int row = static_cast<int>(blockIdx.x);
  const int thread = static_cast<int>(threadIdx.x);
  const int float4s = hidden / 4;
  ptx::launch_dependents();
  if (row >= rows) {
    ptx::wait_for_predecessors();
    reset_partials(norm.received.reset, norm.received.rank_stride, norm.received.ranks, float4s * rows,
                   (row - rows) * kNormThreads + thread, (static_cast<int>(gridDim.x) - rows) * kNormThreads);
    return;
  }
  uint2 weights[kNormQuads];
#pragma unroll
  for (int q = 0; q < kNormQuads; ++q) {
    const int i = thread + q * kNormThreads;
    weights[q] = i < float4s ? __ldg(static_cast<const uint2*>(norm.weight) + i) : uint2{0, 0};
  }
  ptx::wait_for_predecessors();

  float4 residual[kNormQuads];
  sum_partials(norm.received.data + static_cast<std::int64_t>(row) * hidden, norm.received.rank_stride,
               norm.received.ranks, limit, thread, kNormThreads, float4s, residual);
  float squares = 0;
  float largest = 0;
#pragma unroll
  for (int q = 0; q < kNormQuads; ++q) {
    const float4& r = residual[q];
    squares += r.x * r.x + r.y * r.y + r.z * r.z + r.w * r.w;
    if constexpr (kScaled) largest = fmaxf(largest, largest_product<T>(r, weights[q]));
    const int i = thread + q * kNormThreads;
    if (i < float4s) reinterpret_cast<float4*>(norm.residual_out + static_cast<std::int64_t>(row) * hidden)[i] = r;
  }
#pragma unroll
  for (int offset = 16; offset; offset >>= 1) squares += __shfl_xor_sync(~0u, squares, offset);
  if constexpr (kScaled) largest = __uint_as_float(__reduce_max_sync(~0u, __float_as_uint(largest)));
  if (thread % 32 == 0) {
    scratch[thread / 32] = squares;
    if constexpr (kScaled) scratch[kNormWarps + thread / 32] = largest;
  }
  __syncthreads();
  float total = 0;
#pragma unroll
  for (int warp = 0; warp < kNormWarps; ++warp) {
    total += scratch[warp];
    if constexpr (kScaled) largest = fmaxf(largest, scratch[kNormWarps + warp]);
  }
  const float scale = rsqrtf(total / static_cast<float>(hidden) + norm.eps);
  HalfScale half;
  if constexpr (kScaled) {
    half = HalfScale(largest * scale);
    if (thread == 0) inverses[row] = half.inverse;
  }
#pragma unroll
  for (int q = 0; q < kNormQuads; ++q) {
    const int i = thread + q * kNormThreads;
    if (i >= float4s) continue;
    const float4& r = residual[q];
    const float2 low = ptx::unpack<T>(weights[q].x);
    const float2 high = ptx::unpack<T>(weights[q].y);
    const std::int64_t at =
        is_row_major ? static_cast<std::int64_t>(row) * hidden + 4 * i : activation_index(rows, row, 4 * i);
    uint2 normed = {ptx::pack<T>(r.x * scale * low.x, r.y * scale * low.y),
                    ptx::pack<T>(r.z * scale * high.x, r.w * scale * high.y)};
    if constexpr (kScaled) normed = scaled_halves<T>(normed, half.factor);
    *reinterpret_cast<uint2*>(output + at) = normed;
  }
}

template <typename T>
void launch_embed(const StepLayout* layout, const void* table, std::int64_t first_vocab, std::int64_t vocab_local,
                  std::int64_t hidden, int rows, const SentPartials& sent, cudaStream_t stream) {
  const auto columns = static_cast<unsigned>((hidden / 4 + kEmbedThreads - 1) / kEmbedThreads);
  const LaunchShape shape{dim3(columns, static_cast<unsigned>(rows)), kEmbedThreads};
  launch_kernel("embed_rows", embed_rows<T>, shape, stream, layout, static_cast<const T*>(table), first_vocab,
                vocab_local, hidden, sent);
}

template <typename T>
void launch_norm(const NormInput& norm, std::int64_t hidden, int rows, const NormedRows& to, const SpinLimit& limit,
                 bool dependent, cudaStream_t stream) {
  const int resetting = norm.received.reset ? std::max(rows, kResetBlocks) : 0;
  LaunchShape shape{dim3(static_cast<unsigned>(rows + resetting)), kNormThreads};
  shape.dependent = dependent;
  const auto launch = [&](auto kernel) {
    launch_kernel("norm_rows", kernel, shape, stream, norm, static_cast<int>(hidden), rows, static_cast<T*>(to.rows),
                  to.are_row_major, to.inverses, limit);
  };
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    if (to.inverses) return launch(norm_rows<T, true>);
  }
  launch(norm_rows<T, false>);
}

bool configure() {
  prefer_shared_memory(begin_request, "begin_request");
  prefer_shared_memory(set_layout<kMaxStepRows>, "set_layout");
  prefer_shared_memory(set_layout<kMaxBatchRows>, "set_layout");
  prefer_shared_memory(embed_rows<__nv_bfloat16>, "embed_rows");
  prefer_shared_memory(embed_rows<__half>, "embed_rows");
  prefer_shared_memory(norm_rows<__nv_bfloat16, false>, "norm_rows");
  prefer_shared_memory(norm_rows<__nv_bfloat16, true>, "norm_rows");
  prefer_shared_memory(norm_rows<__half, false>, "norm_rows");
  return true;
}

void configure_once() {
  static const bool configured = configure();
  (void)configured;
}

}  // namespace

void launch_begin_request(SlotState* slot, const SlotState& value, cudaStream_t stream) {
  configure_once();
  launch_kernel("begin_request", begin_request, LaunchShape{1, 32}, stream, slot, value);
}

void launch_set_layout(StepLayout* layout, const StepLayout& value, int rows, const SlotState* slots,
                       cudaStream_t stream) {
  configure_once();
  const auto launch = [&]<int kRows>() {
    launch_kernel("set_layout", set_layout<kRows>, LaunchShape{1, kRows}, stream, layout, FirstRows<kRows>(value),
                  slots);
  };
  if (rows <= kMaxStepRows) {
    launch.template operator()<kMaxStepRows>();
  } else {
    launch.template operator()<kMaxBatchRows>();
  }
}

void launch_embed_rows(const StepLayout* layout, const void* table, std::int64_t first_vocab, std::int64_t vocab_local,
                       std::int64_t hidden, int rows, const SentPartials& sent, ElementType type, cudaStream_t stream) {
  configure_once();
  if (type == ElementType::bfloat16) {
    launch_embed<__nv_bfloat16>(layout, table, first_vocab, vocab_local, hidden, rows, sent, stream);
  } else {
    launch_embed<__half>(layout, table, first_vocab, vocab_local, hidden, rows, sent, stream);
  }
}

void launch_norm_rows(const NormInput& norm, std::int64_t hidden, int rows, const NormedRows& to,
                      const SpinLimit& limit, ElementType type, bool dependent, cudaStream_t stream) {
  configure_once();
  if (type == ElementType::bfloat16) {
    launch_norm<__nv_bfloat16>(norm, hidden, rows, to, limit, dependent, stream);
  } else {
    if (to.inverses) fail_launch("norm_rows", "float16 is not scaled");
    launch_norm<__half>(norm, hidden, rows, to, limit, dependent, stream);
  }
}

}  // namespace specthink::inline kernels
