// What a thread that multiplies takes of a stage of the ring; used by kernel.cuh alone.
#pragma once

#include <cstdint>

#include "kernels/decode/linear/layout.h"
#include "kernels/decode/linear/linear.h"
#include "kernels/device/ptx.cuh"

namespace specthink::inline kernels {

/// Where a consumer finds its part of a chunk: 64 bytes of every weight row, those of its warp or, in every other row
/// of up to four rows of x, those of the warp beside it. Neighbouring rows then lie in different banks.
///
/// The matrix instruction sums over the same columns in all rows of the weights, but has eight columns for x, of which
/// four rows need half: a row of x is there twice, with the columns of either warp. Each row of the weights takes the
/// sum with its own columns.
template <WeightFormat kFormat, int kRows, LinearInput kInput>
struct Consumer {
  static constexpr bool kPaired = kRows <= 4;
  static constexpr int kXBytes = x_row_bytes(kFormat) / kConsumerWarps;  // of a row of x
  int warp, g, t;
  int columns_of;  // the warp whose columns this thread takes
  int weight_rows;
  std::uint32_t weight_offset;
  std::uint32_t x_offset;        // of a stage's activations
  std::uint32_t normed_columns;  // in the normed row
  int tiles;
  float inverse = 1;  // of what the normed row was scaled by

  __device__ __forceinline__ Consumer(int weight_rows, const uint2* normed)
      : warp(static_cast<int>(threadIdx.x) / 32),
        g(static_cast<int>(threadIdx.x) % 32 / 4),
        t(static_cast<int>(threadIdx.x) % 4),
        columns_of(kPaired ? warp ^ (g & 1) : warp),
        weight_rows(weight_rows),
        weight_offset(columns_of * kColumnBytes + g * kChunkRowBytes + t * 16),
        x_offset(columns_of * kRows * kXBytes),
        normed_columns(ptx::shared_address(normed) + columns_of * kXBytes),
        tiles((weight_rows + kTileRows - 1) / kTileRows) {}

  /// Of the row g or g + 8 of a tile. The last tile may be partly beyond the group's rows, where other bytes are,
  /// perhaps on their way: zeros instead.
  __device__ __forceinline__ uint4 load_weights(std::uint32_t stage, int tile, int half) const {
    const int row = tile * kTileRows + 8 * half;
    if (row + g >= weight_rows) return {0, 0, 0, 0};
    return ptx::load_shared_16(stage + weight_offset + row * kChunkRowBytes);
  }

  /// The row of x that sum i of a set belongs to; kRows or more: to none.
  __device__ __forceinline__ int x_row_of_sum(int set, int i) const {
    if constexpr (kPaired) return i % 2 == (g & 1) ? t : kRows;
    return 8 * set + 2 * t + i % 2;
  }

  /// The sums of a group over this warp's columns, into shared memory. `kScaled`: of a row that was scaled.
  template <bool kScaled, int kTiles, int kSets>
  __device__ __forceinline__ void store_sums(const float (&of_tiles)[kTiles][kSets][4], float* sums) const {
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int set = 0; set < kSets; ++set) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int row = tile * kTileRows + g + i / 2 * 8;
          const int m = x_row_of_sum(set, i);
          if (row >= weight_rows || m >= kRows) continue;
          const float sum = of_tiles[tile][set][i];
          sums[(m * weight_rows + row) * kWarpStride + warp] =
              kScaled && kInput == LinearInput::norm ? sum * inverse : sum;
        }
      }
    }
  }
};

/// Rows of x as operands, up to eight a set. Those that are not there repeat the last one: nobody reads their sums.
template <typename Operands, WeightFormat kFormat, int kRows, LinearInput kInput, int kSets>
__device__ __forceinline__ void load_x(const Consumer<kFormat, kRows, kInput>& consumer, std::uint32_t x_of_stage,
                                       int chunk, typename Operands::X (&x)[kSets]) {
#pragma unroll
  for (int set = 0; set < kSets; ++set) {
    if constexpr (kInput == LinearInput::norm) {
      x[set] = Operands::load_normed_x(consumer.normed_columns + chunk * x_row_bytes(kFormat), consumer.t);
    } else {
      const int row = min(consumer.kPaired ? consumer.g / 2 : consumer.g + 8 * set, kRows - 1);
      if constexpr (kInput == LinearInput::scaled) {
        x[set] = Operands::load_halves(x_of_stage + consumer.x_offset, kRows, row, consumer.t);
      } else {
        x[set] = Operands::load_x(x_of_stage + consumer.x_offset, kRows, row, consumer.t);
      }
    }
  }
}

}  // namespace specthink::inline kernels
