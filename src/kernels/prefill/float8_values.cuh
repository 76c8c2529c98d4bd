// Weights of 8 bits as elements of 16, rounded once.
#pragma once

#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>

#include "kernels/device/ptx.cuh"

namespace specthink::inline kernels {

/// Four e4m3 as float16, on GPUs without the instruction, too: the lower two and the upper two.
__device__ __forceinline__ void halves_of(std::uint32_t four, std::uint32_t& low, std::uint32_t& high) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 890
  ptx::to_halves(four, low, high);
#else
  const auto pair = [](std::uint32_t two) {
    const __half2_raw halves = __nv_cvt_fp8x2_to_halfraw2(static_cast<__nv_fp8x2_storage_t>(two & 0xffff), __NV_E4M3);
    return static_cast<std::uint32_t>(halves.y) << 16 | halves.x;
  };
  low = pair(four);
  high = pair(four >> 16);
#endif
}

/// Two float16 as one register of T, times the factor.
template <typename T>
__device__ __forceinline__ std::uint32_t scaled_pair(std::uint32_t halves, float factor) {
  const float2 values = ptx::unpack<__half>(halves);
  return ptx::pack<T>(values.x * factor, values.y * factor);
}

/// Sixteen e4m3 next to each other, of one block of factors, as T: the first eight and the others.
template <typename T>
__device__ __forceinline__ void dequantize_sixteen(const uint4& weights, float factor, uint4& first, uint4& second) {
  const std::uint32_t words[4] = {weights.x, weights.y, weights.z, weights.w};
  std::uint32_t pairs[8];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    std::uint32_t low, high;
    halves_of(words[i], low, high);
    pairs[2 * i] = scaled_pair<T>(low, factor);
    pairs[2 * i + 1] = scaled_pair<T>(high, factor);
  }
  first = {pairs[0], pairs[1], pairs[2], pairs[3]};
  second = {pairs[4], pairs[5], pairs[6], pairs[7]};
}

}  // namespace specthink::inline kernels
