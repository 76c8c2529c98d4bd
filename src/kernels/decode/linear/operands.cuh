// What a warp multiplies in a chunk, as operands of the matrix instruction: 64 bytes of sixteen rows of the weights,
// and its columns of up to eight rows of x. The instruction sums over 16 columns in any order, as long as both operands
// have the same.
#pragma once

#include <cstdint>

#include "kernels/decode/linear/layout.h"
#include "kernels/decode/linear/linear.h"
#include "kernels/device/ptx.cuh"

namespace specthink::inline kernels {

/// Weights of the type of x: 32 columns, of which a lane has 8 next to each other.
template <WeightFormat kFormat, typename T>
struct LinearOperands {
  static constexpr float kSumFactor = 1;  // on what multiply() adds up

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

/// How a pair of e4m3 becomes a pair of 16-bit floats: sign to sign, exponent and mantissa to where they stand in the
/// wider type, whose exponent has another bias. That leaves a power of two, which x and the sums take. Subnormal
/// numbers come out right as well.
template <typename T>
struct Float8Conversion;
template <>
struct Float8Conversion<__nv_bfloat16> {
  static constexpr int kShift = 4;  // of exponent and mantissa, from the high byte of each half
  static constexpr std::uint32_t kMask = 0x07f007f0;
  static constexpr std::uint32_t kXFactor = 0x71807180;  // 2^100 twice: the products stay away from float32's ends
  static constexpr float kSumFactor = 1048576;           // 2^(120 - 100)
};
template <>
struct Float8Conversion<__half> {
  static constexpr int kShift = 1;
  static constexpr std::uint32_t kMask = 0x3f803f80;
  static constexpr std::uint32_t kXFactor = 0;  // none
  static constexpr float kSumFactor = 256;      // 2^(15 - 7)
};

/// 8-bit weights: 64 columns, of which a lane has 16 next to each other. A word of the weights is four columns; the
/// even ones are one register of the operand and the odd ones another.
template <typename T>
struct LinearOperands<WeightFormat::float8, T> {
  using Conversion = Float8Conversion<T>;
  static constexpr float kSumFactor = Conversion::kSumFactor;

  struct Pairs {
    std::uint32_t even[4];  // columns 4i and 4i + 2
    std::uint32_t odd[4];
  };
  using X = Pairs;

  static __device__ __forceinline__ X load_x(std::uint32_t columns, int rows, int row, int t) {
    return load(columns + (t / 2 * rows + row) * kColumnBytes + t % 2 * 32);
  }
  static __device__ __forceinline__ X load_normed_x(std::uint32_t columns, int t) { return load(columns + t * 32); }

  using Weights = Pairs;
  static __device__ __forceinline__ Weights prepare(const uint4& bytes) {
    constexpr std::uint32_t kSigns = 0x80008000;
    const std::uint32_t words[4] = {bytes.x, bytes.y, bytes.z, bytes.w};
    Weights weights;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      weights.even[i] = (words[i] << 8 & kSigns) | (words[i] << (8 - Conversion::kShift) & Conversion::kMask);
      weights.odd[i] = (words[i] & kSigns) | (words[i] >> Conversion::kShift & Conversion::kMask);
    }
    return weights;
  }

  static __device__ __forceinline__ void multiply(const Weights& low, const Weights& high, const X& x,
                                                  float (&sums)[4]) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      ptx::mma<T>(sums, low.even[i], high.even[i], low.odd[i], high.odd[i], x.even[i], x.odd[i]);
    }
  }

 private:
  static __device__ __forceinline__ std::uint32_t scaled(std::uint32_t pair) {
    if constexpr (Conversion::kXFactor == 0) return pair;
    std::uint32_t result;
    asm("mul.rn.bf16x2 %0, %1, %2;" : "=r"(result) : "r"(pair), "r"(Conversion::kXFactor));
    return result;
  }

  /// 16 columns at `address`.
  static __device__ __forceinline__ X load(std::uint32_t address) {
    X x;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const uint4 loaded = ptx::load_shared_16(address + half * 16);
      const std::uint32_t words[4] = {loaded.x, loaded.y, loaded.z, loaded.w};
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        x.even[2 * half + i] = scaled(__byte_perm(words[2 * i], words[2 * i + 1], 0x5410));
        x.odd[2 * half + i] = scaled(__byte_perm(words[2 * i], words[2 * i + 1], 0x7632));
      }
    }
    return x;
  }
};

/// The factors of a group's rows, as a lane has them: rows g and g + 8 of each tile, over the warp's columns.
template <WeightFormat kFormat, LinearOutput kOutput, int kTiles>
struct GroupScales {
  struct Factors {};
  __device__ __forceinline__ GroupScales(const LinearParams&, int, int, int) {}
  __device__ __forceinline__ Factors load(int, int) const { return {}; }

  /// Where the products of a chunk are added up.
  template <int kSets>
  struct Sums {
    float (&of_tile)[kSets][4];
    __device__ __forceinline__ float (&of(int set))[4] { return of_tile[set]; }
    __device__ __forceinline__ void add(const Factors&) {}
  };
};

template <LinearOutput kOutput, int kTiles>
struct GroupScales<WeightFormat::float8, kOutput, kTiles> {
  struct Factors {
    float of_row[2];
  };

  const LinearParams& p;
  int first_column;    // of the warp in a chunk
  int row[kTiles][2];  // of the factors, as offsets

  __device__ __forceinline__ GroupScales(const LinearParams& p, int group, int warp, int g)
      : p(p), first_column(warp * kColumnBytes) {
    const int group_rows = p.geometry.group_rows;
    const int rows = static_cast<int>(p.rows);
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        int local = tile * kTileRows + 8 * half + g;
        const bool second = kOutput == LinearOutput::swiglu && local >= group_rows;  // the up rows
        if (second) local -= group_rows;
        // What lies beyond the group or the matrix is multiplied by some factor and thrown away.
        const int of_matrix = min(group * group_rows + local, rows - 1) + (second ? rows : 0);
        row[tile][half] = (of_matrix >> p.scales.row_shift) * p.scales.row_stride;
      }
    }
  }

  __device__ __forceinline__ Factors load(int chunk, int tile) const {
    const int column =
        min(chunk * chunk_columns(WeightFormat::float8) + first_column, static_cast<int>(p.columns) - 1) >>
        p.scales.column_shift;
    return {__ldg(p.scales.data + row[tile][0] + column), __ldg(p.scales.data + row[tile][1] + column)};
  }

  template <int kSets>
  struct Sums {
    float (&of_tile)[kSets][4];
    float products[kSets][4] = {};
    __device__ __forceinline__ float (&of(int set))[4] { return products[set]; }
    __device__ __forceinline__ void add(const Factors& factors) {
#pragma unroll
      for (int set = 0; set < kSets; ++set) {
#pragma unroll
        for (int i = 0; i < 4; ++i) of_tile[set][i] += factors.of_row[i / 2] * products[set][i];
      }
    }
  };
};

}  // namespace specthink::inline kernels
