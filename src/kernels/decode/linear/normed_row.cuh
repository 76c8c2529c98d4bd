// The norm of one row inside a linear layer: by all consumers, into shared memory; used by kernel.cuh alone.
#pragma once

#include <cstdint>

#include "kernels/decode/linear/layout.h"
#include "kernels/decode/linear/linear.h"
#include "kernels/decode/linear/operands.cuh"
#include "kernels/device/ptx.cuh"
#include "kernels/exchange/exchange.cuh"

namespace specthink::inline kernels {

struct SumAndLargest {
  float sum, largest;
};
/// Over the consumer threads: the sum of `value` and the largest `magnitude`.
template <bool kHasLargest>
__device__ __forceinline__ SumAndLargest over_consumers(float value, float magnitude, float* scratch) {
#pragma unroll
  for (int offset = 16; offset; offset >>= 1) value += __shfl_xor_sync(~0u, value, offset);
  if constexpr (kHasLargest) magnitude = __uint_as_float(__reduce_max_sync(~0u, __float_as_uint(magnitude)));
  if (threadIdx.x % 32 == 0) {
    scratch[threadIdx.x / 32] = value;
    if constexpr (kHasLargest) scratch[kConsumerWarps + threadIdx.x / 32] = magnitude;
  }
  ptx::named_barrier_sync<kConsumers>(kConsumerBarrier);
  SumAndLargest all{};
#pragma unroll
  for (int warp = 0; warp < kConsumerWarps; ++warp) {
    all.sum += scratch[warp];
    if constexpr (kHasLargest) all.largest = fmaxf(all.largest, scratch[kConsumerWarps + warp]);
  }
  return all;
}

/// The norm's weights of this thread, loaded before the wait: they do not depend on the kernel before.
template <typename T, int kFloat4s>
struct NormWeights {
  uint2 float4s[kFloat4s];

  __device__ __forceinline__ NormWeights(const void* weight, int float4s_of_row) {
#pragma unroll
    for (int q = 0; q < kFloat4s; ++q) {
      const int i = static_cast<int>(threadIdx.x) + q * kConsumers;
      float4s[q] = i < float4s_of_row ? __ldg(static_cast<const uint2*>(weight) + i) : uint2{0, 0};
    }
  }
};

/// Writes the normed row to shared memory, in the order of the columns; zeros up to the end of the last chunk. As what
/// is multiplied: returns what the products are to be multiplied by.
template <WeightFormat kFormat, typename T, int kFloat4s>
__device__ __forceinline__ float norm_row(const LinearParams& p, const NormWeights<T, kFloat4s>& weights, uint2* x,
                                          float* scratch) {
  const int float4s = static_cast<int>(p.columns / 4);
  const int thread = static_cast<int>(threadIdx.x);
  float4 residual[kFloat4s];
  sum_partials(p.norm.received.data, p.norm.received.rank_stride, p.norm.received.ranks, p.limit, thread, kConsumers,
               float4s, residual);
  constexpr bool kScaled = kIsScaled<kFormat, T>;
  float squares = 0;
  float largest = 0;
#pragma unroll
  for (int q = 0; q < kFloat4s; ++q) {
    const float4& r = residual[q];
    squares += r.x * r.x + r.y * r.y + r.z * r.z + r.w * r.w;
    if constexpr (kScaled) largest = fmaxf(largest, largest_product<T>(r, weights.float4s[q]));
  }
  if (blockIdx.x == 0) {
#pragma unroll
    for (int q = 0; q < kFloat4s; ++q) {
      const int i = thread + q * kConsumers;
      if (i < float4s) reinterpret_cast<float4*>(p.norm.residual_out)[i] = residual[q];
    }
  }
  const SumAndLargest all = over_consumers<kScaled>(squares, largest, scratch);
  const float scale = rsqrtf(all.sum / static_cast<float>(p.columns) + p.norm.eps);
  HalfScale half;
  if constexpr (kScaled) half = HalfScale(all.largest * scale);
  const int padded_float4s =
      p.geometry.chunks * chunk_columns(kFormat) / 4;  // at most kFloat4s passes: a pass is whole chunks
#pragma unroll
  for (int q = 0; q < kFloat4s; ++q) {
    const int i = thread + q * kConsumers;
    if (i >= padded_float4s) continue;
    const float4& r = residual[q];
    const float2 low = ptx::unpack<T>(weights.float4s[q].x);
    const float2 high = ptx::unpack<T>(weights.float4s[q].y);
    uint2 normed = {ptx::pack<T>(r.x * scale * low.x, r.y * scale * low.y),
                    ptx::pack<T>(r.z * scale * high.x, r.w * scale * high.y)};
    if constexpr (kScaled) normed = scaled_halves<T>(normed, half.factor);
    x[i] = normed;
  }
  return half.inverse;
}

}  // namespace specthink::inline kernels
