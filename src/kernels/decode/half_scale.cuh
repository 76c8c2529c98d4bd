// Scaling into float16's range by powers of two, which loses nothing.
#pragma once

#include <cstdint>

#include "kernels/device/ptx.cuh"

namespace specthink::inline kernels {

/// A power of two that brings numbers near float16's end, and what takes it back.
struct HalfScale {
  float factor = 1;
  float inverse = 1;

  HalfScale() = default;
  /// `largest`: of the numbers; it comes to between 2^14 and 2^15.
  __device__ __forceinline__ explicit HalfScale(float largest) {
    constexpr std::uint32_t kExponent = 0x7f800000;
    constexpr std::uint32_t kLeast = 32u << 23;  // 2^-95: less would need a factor beyond float32's end
    constexpr std::uint32_t kFactorTimesLargest = (127u + 127 + 14) << 23;
    constexpr std::uint32_t kFactorTimesInverse = (127u + 127) << 23;
    const std::uint32_t factor_bits = kFactorTimesLargest - max(__float_as_uint(largest) & kExponent, kLeast);
    factor = __uint_as_float(factor_bits);
    inverse = __uint_as_float(kFactorTimesInverse - factor_bits);
  }
};

/// The largest magnitude of four numbers times their weights.
template <typename T>
__device__ __forceinline__ float largest_product(const float4& four, const uint2& weights) {
  const float2 low = ptx::unpack<T>(weights.x);
  const float2 high = ptx::unpack<T>(weights.y);
  return fmaxf(fmaxf(fabsf(four.x * low.x), fabsf(four.y * low.y)),
               fmaxf(fabsf(four.z * high.x), fabsf(four.w * high.y)));
}

/// Four numbers times the factor, as float16.
template <typename T>
__device__ __forceinline__ uint2 scaled_halves(const uint2& four, float factor) {
  const float2 low = ptx::unpack<T>(four.x);
  const float2 high = ptx::unpack<T>(four.y);
  return {ptx::pack<__half>(low.x * factor, low.y * factor), ptx::pack<__half>(high.x * factor, high.y * factor)};
}

}  // namespace specthink::inline kernels
