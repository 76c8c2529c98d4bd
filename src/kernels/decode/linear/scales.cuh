// The factors of 8-bit weights: of a block's rows, in shared memory where they fit, and of a group's; used by
// kernel.cuh alone.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/decode/linear/layout.h"
#include "kernels/decode/linear/linear.h"
#include "kernels/device/ptx.cuh"

namespace specthink::inline kernels {

/// The factors of a group's rows, as a lane has them: rows g and g + 8 of each tile, over the warp's columns.
template <WeightFormat kFormat, LinearOutput kOutput, int kTiles, bool kInShared>
struct GroupScales {
  struct Factors {};
  template <typename OfBlock>
  __device__ __forceinline__ GroupScales(const LinearParams&, const OfBlock&, std::uint32_t, int, int, int) {}
  __device__ __forceinline__ Factors load(int, int) const { return {}; }

  /// Where the products of a chunk are added up.
  template <int kSets>
  struct Sums {
    float (&of_tile)[kSets][4];
    __device__ __forceinline__ float (&of(int set))[4] { return of_tile[set]; }
    template <typename X>
    __device__ __forceinline__ void add(const Factors&, const X (&)[kSets]) {}
  };
};

/// The factors of a block's rows of 8-bit weights. They come from as far as the weights, and would have to be waited
/// for in every chunk: those of blocks of 128 x 128 fit shared memory, where they are before the input is. A row of
/// them there has `of_chunk` for each chunk.
template <LinearOutput kOutput>
struct BlockScales {
  static constexpr int kParts = kOutput == LinearOutput::swiglu ? 2 : 1;  // gate rows, up rows
  int of_chunk;
  int column_shift;  // of a column in a chunk
  int row_stride;
  int first[kParts];  // rows of factors before those that are there; of the up rows' part, counted from the gate rows'
  int row_shift;
  bool in_shared;

  /// Rows [first_row, last_row) of the outputs. Every consumer calls it; nobody reads before a barrier behind it.
  /// `shared`: kSharedScales floats.
  __device__ __forceinline__ BlockScales(const LinearParams& p, int first_row, int last_row, float* shared)
      : row_stride(p.scales.row_stride), row_shift(p.scales.row_shift) {
    constexpr int kChunkShift = 10;
    static_assert(1 << kChunkShift == chunk_columns(WeightFormat::float8));
    column_shift = min(p.scales.column_shift, kChunkShift);
    of_chunk = 1 << (kChunkShift - column_shift);
    const int stride = p.geometry.chunks * of_chunk;
    const int last_column = (static_cast<int>(p.columns) - 1) >> p.scales.column_shift;
    const int rows = static_cast<int>(p.rows);
    const int last = min(last_row, rows) - 1;
    const int count = (last >> row_shift) - (first_row >> row_shift) + 1;
    in_shared = kParts * (count + 1) * stride <= kSharedScales;
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      first[part] = 0;
      if (!in_shared) continue;
      const int from = (first_row + part * rows) >> row_shift;
      const int of_part = ((last + part * rows) >> row_shift) - from + 1;
      float* const to = shared + part * (count + 1) * stride;
      for (int i = static_cast<int>(threadIdx.x); i < of_part * stride; i += kConsumers) {
        const int column = min((i % stride << column_shift) >> p.scales.column_shift, last_column);
        to[i] = __ldg(p.scales.data + (from + i / stride) * row_stride + column);
      }
      first[part] = from - part * (count + 1);
    }
    if (in_shared) row_stride = stride;
  }

  /// Where the factors of an output's row begin; `part` 1: of its up row.
  __device__ __forceinline__ int row(int of_matrix, int part) const {
    return ((of_matrix >> row_shift) - first[part]) * row_stride;
  }
};

template <LinearOutput kOutput, int kTiles, bool kInShared>
struct GroupScales<WeightFormat::float8, kOutput, kTiles, kInShared> {
  struct Factors {
    float of_row[2];
  };

  const float* data;  // outside shared memory
  int first_column;   // of the warp in a chunk
  int last_column;
  int column_shift;
  std::uint32_t bytes_of_chunk;
  std::uint32_t row[kTiles]
                   [2];  // in shared memory: the address for the warp's columns of the first chunk; else an index

  __device__ __forceinline__ GroupScales(const LinearParams& p, const BlockScales<kOutput>& of_block,
                                         std::uint32_t shared, int group, int warp, int g)
      : data(p.scales.data),
        first_column(warp * kColumnBytes),
        last_column(static_cast<int>(p.columns) - 1),
        column_shift(p.scales.column_shift),
        bytes_of_chunk(of_block.of_chunk * sizeof(float)) {
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
        const int of_matrix = min(group * group_rows + min(local, group_rows - 1), rows - 1) + (second ? rows : 0);
        const int index = of_block.row(of_matrix, second ? 1 : 0);
        const std::uint32_t address = shared + (index + (first_column >> of_block.column_shift)) * sizeof(float);
        row[tile][half] = kInShared ? kept(address) : index;
      }
    }
  }

  /// Rows g and g + 8 of a tile.
  __device__ __forceinline__ Factors load(int chunk, int tile) const {
    return {factor(chunk, row[tile][0]), factor(chunk, row[tile][1])};
  }

 private:
  /// The lane's own value, which the compiler then keeps: it would compute it anew in every chunk.
  static __device__ __forceinline__ std::uint32_t kept(std::uint32_t value) {
    return __shfl_sync(~0u, value, static_cast<int>(threadIdx.x) % 32);
  }

  __device__ __forceinline__ float factor(int chunk, std::uint32_t of_row) const {
    if constexpr (kInShared) return ptx::load_shared_float(of_row + chunk * bytes_of_chunk);
    const int column = min(chunk * chunk_columns(WeightFormat::float8) + first_column, last_column) >> column_shift;
    return __ldg(data + of_row + column);
  }

 public:
  template <int kSets>
  struct Sums {
    float (&of_tile)[kSets][4];
    float products[kSets][4] = {};
    __device__ __forceinline__ float (&of(int set))[4] { return products[set]; }
    template <typename X>
    __device__ __forceinline__ void add(const Factors& factors, const X (&x)[kSets]) {
#pragma unroll
      for (int set = 0; set < kSets; ++set) {
#pragma unroll
        for (int i = 0; i < 4; ++i) of_tile[set][i] += factors.of_row[i / 2] * x[set].inverse * products[set][i];
      }
    }
  };
};

struct NoScales {};

/// What the kernel of a format has of a block's factors.
template <WeightFormat kFormat, LinearOutput kOutput>
using Scales = std::conditional_t<kFormat == WeightFormat::float8, BlockScales<kOutput>, NoScales>;

}  // namespace specthink::inline kernels
