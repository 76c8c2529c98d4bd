// Heads of this step's rows: bias, norm and rotation of the qkv linear layer; used by attention_kernel.cuh alone.
#pragma once

#include <cstdint>

#include "kernels/decode/attention/tiles.cuh"

namespace specthink::inline kernels {

/// One head of one row of the qkv linear layer by one warp: bias, norm, rotation. Lane l has elements kPer·l …; load
/// several of them first, so that their latencies overlap.
template <typename T, int kHeadDim>
struct HeadVector {
  static constexpr int kPer = kHeadDim / 32;
  float x[kPer];
  T weight[kPer], cos[kPer], sin[kPer], bias[kPer];
  int head;

  /// What does not depend on the qkv linear layer.
  __device__ __forceinline__ void load_tables(const AttentionParams& p, int which_head, int position) {
    head = which_head;
    const int column = head * kHeadDim + first_element();
    const std::int64_t entry = static_cast<std::int64_t>(position) * kHeadDim + first_element();
    if (p.bias) load_elements(bias, static_cast<const T*>(p.bias) + column);
    if (is_value(p)) return;
    if (p.norm_weight) load_elements(weight, static_cast<const T*>(p.norm_weight) + column);
    load_elements(cos, static_cast<const T*>(p.cos) + entry);
    load_elements(sin, static_cast<const T*>(p.sin) + entry);
  }

  /// After load_tables(), of the same head.
  __device__ __forceinline__ void load(const AttentionParams& p, int row) {
    const int columns = (p.heads + 2 * p.kv_heads) * kHeadDim;
    const float* const from = p.qkv + static_cast<std::int64_t>(row) * columns + head * kHeadDim + first_element();
    if constexpr (kPer == 4) {
      const float4 four = __ldcg(reinterpret_cast<const float4*>(from));
      x[0] = four.x, x[1] = four.y, x[2] = four.z, x[3] = four.w;
    } else {
      const float2 two = __ldcg(reinterpret_cast<const float2*>(from));
      x[0] = two.x, x[1] = two.y;
    }
  }

  __device__ __forceinline__ void finish(const AttentionParams& p) {
    if (p.bias) {
#pragma unroll
      for (int i = 0; i < kPer; ++i) x[i] += ptx::to_float(bias[i]);
    }
    if (is_value(p)) return;
    if (p.norm_weight) {
      float squares = 0;
#pragma unroll
      for (int i = 0; i < kPer; ++i) squares += x[i] * x[i];
#pragma unroll
      for (int offset = 16; offset; offset >>= 1) squares += __shfl_xor_sync(~0u, squares, offset);
      const float scale = rsqrtf(squares / kHeadDim + p.eps);
#pragma unroll
      for (int i = 0; i < kPer; ++i) x[i] *= scale * ptx::to_float(weight[i]);
    }
#pragma unroll
    for (int i = 0; i < kPer; ++i) {
      const float other = __shfl_xor_sync(~0u, x[i], 16);  // half a head away
      x[i] = x[i] * ptx::to_float(cos[i]) + other * ptx::to_float(sin[i]);
    }
  }

  __device__ __forceinline__ void store_row(T* row) const {
#pragma unroll
    for (int i = 0; i < kPer; ++i) row[first_element() + i] = ptx::from_float<T>(x[i]);
  }

  __device__ __forceinline__ void store_swizzled(T* rows, int row) const {
    char* const at = reinterpret_cast<char*>(rows) + SwizzledRows<T, kHeadDim>::element_offset(row, first_element());
#pragma unroll
    for (int i = 0; i < kPer; ++i) reinterpret_cast<T*>(at)[i] = ptx::from_float<T>(x[i]);
  }

 private:
  static __device__ __forceinline__ int first_element() { return kPer * (static_cast<int>(threadIdx.x) % 32); }
  __device__ __forceinline__ bool is_value(const AttentionParams& p) const { return head >= p.heads + p.kv_heads; }

  static __device__ __forceinline__ void load_elements(T (&to)[kPer], const T* from) {
    if constexpr (kPer == 4) {
      const uint2 words = __ldg(reinterpret_cast<const uint2*>(from));
      memcpy(to, &words, sizeof(words));
    } else {
      const unsigned word = __ldg(reinterpret_cast<const unsigned*>(from));
      memcpy(to, &word, sizeof(word));
    }
  }
};

}  // namespace specthink::inline kernels
