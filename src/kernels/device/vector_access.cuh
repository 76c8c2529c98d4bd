// Elements of the 16-bit types in device code: conversion, rounding, several at a time.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

namespace specthink::inline kernels {

__device__ inline float to_float(__nv_bfloat16 value) { return __bfloat162float(value); }
__device__ inline float to_float(__half value) { return __half2float(value); }

template <typename T>
__device__ inline T from_float(float value) {
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    return __float2bfloat16_rn(value);
  } else {
    return __float2half_rn(value);
  }
}

/// The value as T holds it.
template <typename T>
__device__ inline float rounded(float value) {
  return to_float(from_float<T>(value));
}

/// Elements of a 16-byte access.
constexpr int kVectorWidth = 8;

/// `width` consecutive elements, aligned to their size: one access of 16 bytes (width 8) or one of 2 (width 1).
template <typename T, int width>
struct Elements {
  static_assert(sizeof(T) == 2 && (width == 1 || width == kVectorWidth));
  using Word = std::conditional_t<width == 1, std::uint16_t, uint4>;

  alignas(sizeof(Word)) T values[width];

  __device__ static Elements load(const T* from) {
    Elements elements;
    *reinterpret_cast<Word*>(elements.values) = *reinterpret_cast<const Word*>(from);
    return elements;
  }

  __device__ void store(T* to) const { *reinterpret_cast<Word*>(to) = *reinterpret_cast<const Word*>(values); }

  __device__ float operator[](int i) const { return to_float(values[i]); }
  __device__ void set(int i, float value) { values[i] = from_float<T>(value); }
};

}  // namespace specthink::inline kernels
