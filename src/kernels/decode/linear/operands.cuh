// What a warp multiplies in a chunk, as operands of the matrix instruction: 64 bytes of sixteen rows of the weights,
// and its columns of up to eight rows of x. The instruction sums over 16 columns in any order, as long as both operands
// have the same.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/decode/half_scale.cuh"
#include "kernels/decode/linear/layout.h"
#include "kernels/decode/linear/linear.h"
#include "kernels/device/ptx.cuh"

namespace specthink::inline kernels {

/// Weights of the type of x: 32 columns, of which a lane has 8 next to each other.
template <WeightFormat kFormat, typename T>
struct LinearOperands {
  using X = uint4;  // of row g

  /// From the activation layout of `rows` rows; `columns`: where the warp's columns of the first row begin.
  static __device__ __forceinline__ X load_x(std::uint32_t columns, int, int row, int t) {
    return ptx::load_shared_16(columns + row * kColumnBytes + t * 16);
  }
  /// From one row, in the order of its columns.
  static __device__ __forceinline__ X load_normed_x(std::uint32_t columns, int t) {
    return ptx::load_shared_16(columns + t * 16);
  }

  using Weights = uint4;  // of one row
  static __device__ __forceinline__ Weights prepare(const uint4& bytes) { return bytes; }

  /// sums += rows g and g + 8 of the weights · x.
  static __device__ __forceinline__ void multiply(const Weights& low, const Weights& high, const X& x,
                                                  float (&sums)[4]) {
    ptx::mma<T>(sums, low.x, high.x, low.y, high.y, x.x, x.y);
    ptx::mma<T>(sums, low.z, high.z, low.w, high.w, x.z, x.w);
  }
};

/// Whether x is scaled before it is multiplied.
template <WeightFormat kFormat, typename T>
constexpr bool kIsScaled = kFormat == WeightFormat::float8&& std::is_same_v<T, __nv_bfloat16>;

/// 8-bit weights: 64 columns, of which a lane has 16 next to each other. They become float16, which has every e4m3 as
/// it is, by an instruction a pair; so the products are float16's, too.
///
/// bfloat16 activations are scaled for it: by the power of two that brings the largest of a warp's columns near
/// float16's end. An element loses bits where it is less than 2^-28 of that one, far below what its products add to the
/// float32 sums.
template <typename T>
struct LinearOperands<WeightFormat::float8, T> {
  struct X {
    std::uint32_t pairs[8];  // columns 2i and 2i + 1
    float inverse;           // of what x was scaled by
  };

  static __device__ __forceinline__ X load_x(std::uint32_t columns, int rows, int row, int t) {
    X x = load_halves(columns, rows, row, t);
    if constexpr (kIsScaled<WeightFormat::float8, T>) scale(x);
    return x;
  }
  /// The same, float16 already.
  static __device__ __forceinline__ X load_halves(std::uint32_t columns, int rows, int row, int t) {
    return load(columns + (t / 2 * rows + row) * kColumnBytes + t % 2 * 32);
  }
  /// float16 already.
  static __device__ __forceinline__ X load_normed_x(std::uint32_t columns, int t) { return load(columns + t * 32); }

  struct Weights {
    std::uint32_t pairs[8];
  };
  static __device__ __forceinline__ Weights prepare(const uint4& bytes) {
    const std::uint32_t words[4] = {bytes.x, bytes.y, bytes.z, bytes.w};
    Weights weights;
#pragma unroll
    for (int i = 0; i < 4; ++i) ptx::to_halves(words[i], weights.pairs[2 * i], weights.pairs[2 * i + 1]);
    return weights;
  }

  /// One row of bfloat16, each lane four of the 128 columns of two neighbouring warps: as float16 in the warp's memory
  /// `halves`, from where it takes 64 of them: about half of the instructions of load_x().
  static __device__ __forceinline__ X scale_pair(const uint2& four, std::uint32_t halves, int warp_of_pair, int t) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const HalfScale scale(largest_of_warp(ptx::larger_magnitudes(four.x, four.y)));
    const std::uint32_t to = halves + lane / 16 * kHalvesOfPair + lane % 16 * 8;
    __syncwarp();
    ptx::store_shared_8(to, scaled_halves<T>(four, scale.factor));
    __syncwarp();
    X x = load(halves + warp_of_pair * kHalvesOfPair + t * 32);
    x.inverse = scale.inverse;
    return x;
  }

  static __device__ __forceinline__ void multiply(const Weights& low, const Weights& high, const X& x,
                                                  float (&sums)[4]) {
#pragma unroll
    for (int i = 0; i < 8; i += 2) {
      ptx::mma<__half>(sums, low.pairs[i], high.pairs[i], low.pairs[i + 1], high.pairs[i + 1], x.pairs[i],
                       x.pairs[i + 1]);
    }
  }

 private:
  /// 16 columns at `address`.
  static __device__ __forceinline__ X load(std::uint32_t address) {
    const uint4 low = ptx::load_shared_16(address);
    const uint4 high = ptx::load_shared_16(address + 16);
    return {{low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w}, 1};
  }

  /// Of each lane's pair of bfloat16.
  static __device__ __forceinline__ float largest_of_warp(std::uint32_t pair) {
    pair &= 0x7fff7fff;
    return __uint_as_float(__reduce_max_sync(~0u, max(pair << 16, pair & 0xffff0000)));
  }

  /// All lanes of the warp by the same.
  static __device__ __forceinline__ void scale(X& x) {
    std::uint32_t largest = ptx::larger_magnitudes(x.pairs[0], x.pairs[1]);
#pragma unroll
    for (int i = 2; i < 8; ++i) largest = ptx::larger_magnitudes(largest, x.pairs[i]);
    const HalfScale scale(largest_of_warp(largest));
    x.inverse = scale.inverse;
#pragma unroll
    for (std::uint32_t& pair : x.pairs) {
      const float2 values = ptx::unpack<T>(pair);
      pair = ptx::pack<__half>(values.x * scale.factor, values.y * scale.factor);
    }
  }
};

}  // namespace specthink::inline kernels
