// How the threads of a short prefill's linear layer write what they have added up (prefill_linear.cu).
#pragma once

#include <cstdint>

#include "kernels/device/ptx.cuh"
#include "kernels/device/vector_access.cuh"
#include "kernels/exchange/exchange.cuh"
#include "kernels/prefill/linear_device.h"

namespace specthink::inline kernels {

constexpr int kGroups = 2;  // warpgroups that multiply
constexpr int kGroupThreads = 128;
constexpr int kGroupRows = kLinearTileRows / kGroups;

/// Where a thread's sums belong: rows `row` and `row` + 8, columns 8·vector + `column` and the next one.
struct FragmentPosition {
  int row;
  int column;

  __device__ __forceinline__ FragmentPosition() {
    const int thread = static_cast<int>(threadIdx.x) % kGroupThreads;
    row = static_cast<int>(threadIdx.x) / kGroupThreads * kGroupRows + thread / 32 * 16 + thread % 32 / 4;
    column = thread % 4 * 2;
  }
};

/// One element of y, and those behind it that fit a word.
template <typename T, typename Word>
__device__ __forceinline__ void store_word(const PrefillLinearParams& p, int row, int column, const Word& word) {
  if (row >= p.rows || column >= p.outputs) return;
  const std::int64_t at = static_cast<std::int64_t>(row) * p.outputs + column;
  *reinterpret_cast<Word*>(static_cast<T*>(p.y) + at) = word;
}

/// Two neighbouring sums of a row, with bias and residual, unrounded to where they are sent.
template <typename T>
__device__ __forceinline__ void send_sums(const PrefillLinearParams& p, int row, int column, float2 sums) {
  if (row >= p.rows || column >= p.outputs) return;
  const std::int64_t at = static_cast<std::int64_t>(row) * p.outputs + column;
  if (p.bias) {
    const float2 bias =
        ptx::unpack<T>(__ldg(reinterpret_cast<const std::uint32_t*>(static_cast<const T*>(p.bias) + column)));
    sums.x += bias.x;
    sums.y += bias.y;
  }
  if (p.residual) {
    const float2 residual = __ldcg(reinterpret_cast<const float2*>(p.residual + at));
    sums.x += residual.x;
    sums.y += residual.y;
  }
  const std::uint64_t word =
      static_cast<std::uint64_t>(__float_as_uint(sums.y)) << 32 | static_cast<std::uint64_t>(__float_as_uint(sums.x));
#pragma unroll
  for (int rank = 0; rank < kMaxExchangeRanks; ++rank) {
    if (rank < p.sent.ranks) ptx::store_system(reinterpret_cast<std::uint64_t*>(p.sent.to[rank] + at), word);
  }
}

/// Two columns of y, from `column` on, in the rows `low` and `high` of the at.
struct Pairs {
  std::uint32_t low;
  std::uint32_t high;
};

/// Four sums of one vector of columns with their bias; the first is column `column` of y.
template <typename T>
__device__ __forceinline__ Pairs round_sums(const PrefillLinearParams& p, int column, const float4& sums) {
  float2 bias{0, 0};
  if (p.bias && column < p.outputs) {
    bias = ptx::unpack<T>(__ldg(reinterpret_cast<const std::uint32_t*>(static_cast<const T*>(p.bias) + column)));
  }
  return {ptx::pack<T>(sums.x + bias.x, sums.y + bias.y), ptx::pack<T>(sums.z + bias.x, sums.w + bias.y)};
}

/// Lane t of four gets word t of each of them.
__device__ __forceinline__ uint4 transpose_quad(const std::uint32_t (&words)[4]) {
  constexpr unsigned kAllLanes = 0xffffffffu;
  const bool odd = threadIdx.x & 1;
  const bool upper = threadIdx.x & 2;
  // The even lane of each pair collects words 0 and 2, the odd one 1 and 3.
  const std::uint32_t first = __shfl_xor_sync(kAllLanes, odd ? words[0] : words[1], 1);
  const std::uint32_t second = __shfl_xor_sync(kAllLanes, odd ? words[2] : words[3], 1);
  const uint2 low = odd ? uint2{first, words[1]} : uint2{words[0], first};
  const uint2 high = odd ? uint2{second, words[3]} : uint2{words[2], second};
  const std::uint32_t x = __shfl_xor_sync(kAllLanes, upper ? low.x : high.x, 2);
  const std::uint32_t y = __shfl_xor_sync(kAllLanes, upper ? low.y : high.y, 2);
  return upper ? uint4{x, y, high.x, high.y} : uint4{low.x, low.y, x, y};
}

/// Vectors of columns of y from `column` on; sums_of(v) are a thread's four sums of vector v. Whole warps. Four vectors
/// at a time go out in words of 16 bytes.
template <typename T, int kVectors, typename SumsOf>
__device__ __forceinline__ void store_vectors(const PrefillLinearParams& p, const FragmentPosition& at, int column,
                                              const SumsOf& sums_of) {
  if (!p.y) {
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
      const float4 sums = sums_of(v);
      send_sums<T>(p, at.row, column + 8 * v + at.column, {sums.x, sums.y});
      send_sums<T>(p, at.row + 8, column + 8 * v + at.column, {sums.z, sums.w});
    }
    return;
  }
  const auto pairs_of = [&](int v) { return round_sums<T>(p, column + 8 * v + at.column, sums_of(v)); };
  constexpr int kInFours = kVectors / 4 * 4;
#pragma unroll
  for (int v = 0; v < kInFours; v += 4) {
    const Pairs pairs[4] = {pairs_of(v), pairs_of(v + 1), pairs_of(v + 2), pairs_of(v + 3)};
    const int vector = column + 8 * (v + static_cast<int>(threadIdx.x) % 4);
    store_word<T>(p, at.row, vector, transpose_quad({pairs[0].low, pairs[1].low, pairs[2].low, pairs[3].low}));
    store_word<T>(p, at.row + 8, vector, transpose_quad({pairs[0].high, pairs[1].high, pairs[2].high, pairs[3].high}));
  }
#pragma unroll
  for (int v = kInFours; v < kVectors; ++v) {
    const Pairs pairs = pairs_of(v);
    store_word<T>(p, at.row, column + 8 * v + at.column, pairs.low);
    store_word<T>(p, at.row + 8, column + 8 * v + at.column, pairs.high);
  }
}

/// As prefill_ops::silu_mul of what T holds, with the fast exponential and division: a thread computes dozens of these
/// while the block has nothing else to do, and the exact ones take several microseconds.
template <typename T>
__device__ __forceinline__ float gate(float gate, float up) {
  const float g = rounded<T>(gate);
  return rounded<T>(__fdividef(g, 1.0f + __expf(-g))) * rounded<T>(up);
}

}  // namespace specthink::inline kernels
