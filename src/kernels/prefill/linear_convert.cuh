// How the threads of a short prefill's linear layer convert 8-bit weights: from a stage of the ring to a panel of
// wgmma.cuh, which the copy engine would have written of 16-bit weights.
#pragma once

#include <cstdint>

#include "kernels/device/ptx.cuh"
#include "kernels/device/wgmma.cuh"
#include "kernels/prefill/float8_values.cuh"
#include "kernels/prefill/linear_ring.cuh"

namespace specthink::inline kernels {
namespace {

/// A thread's part of each chunk: sixteen columns of some rows of the tile. The factors of the next chunk are fetched
/// while this one is converted.
template <typename T, int kWidth>
class Converter {
  static constexpr int kPiecesOfRow = kLinearTileK / 16;
  static constexpr int kPieces = kWidth * kPiecesOfRow;  // of a chunk
  static constexpr int kTurns = (kPieces + kConsumers - 1) / kConsumers;
  static constexpr int kRowsOfTurn = kConsumers / kPiecesOfRow;

 public:
  __device__ __forceinline__ Converter(const PrefillLinearParams& p, const Share& share)
      : p_(p),
        share_(share),
        tile_(share.first_tile),
        last_column_((p.k - 1) >> p.scales.column_shift),
        piece_(static_cast<int>(threadIdx.x) % kPiecesOfRow),
        row_(static_cast<int>(threadIdx.x) / kPiecesOfRow) {
    begin_tile();
    fetch();
  }

  /// `from`: kWidth rows of kLinearTileK bytes; `to`: the panel.
  __device__ __forceinline__ void convert(std::uint32_t from, std::uint32_t to) {
    uint4 bytes[kTurns];
    float factors[kTurns];
#pragma unroll
    for (int turn = 0; turn < kTurns; ++turn) {
      factors[turn] = next_factors_[turn];
      if (is_there(turn)) bytes[turn] = ptx::load_shared_16(from + (row_of(turn) * kPiecesOfRow + piece_) * 16);
    }
    if (++chunk_ == share_.chunks) {
      chunk_ = 0;
      tile_ += share_.tile_step;
      begin_tile();
    }
    fetch();
#pragma unroll
    for (int turn = 0; turn < kTurns; ++turn) {
      if (!is_there(turn)) continue;
      uint4 first, second;
      dequantize_sixteen<T>(bytes[turn], factors[turn], first, second);
      const std::uint32_t row = to + row_of(turn) * ptx::kPanelRowBytes;
      const int swizzle = row_of(turn) % 8;
      ptx::store_shared_16(row + ((2 * piece_) ^ swizzle) * 16, first);
      ptx::store_shared_16(row + ((2 * piece_ + 1) ^ swizzle) * 16, second);
    }
  }

 private:
  __device__ __forceinline__ int row_of(int turn) const { return row_ + turn * kRowsOfTurn; }
  __device__ __forceinline__ bool is_there(int turn) const {
    return (turn + 1) * kRowsOfTurn <= kWidth || row_of(turn) < kWidth;
  }

  /// Where the factors of the rows begin. Rows behind the last one of the matrix arrive as zeros, with any factor.
  __device__ __forceinline__ void begin_tile() {
    constexpr int kHalf = kWidth / 2;
    const int last_row = (p_.gated ? 2 * p_.outputs : p_.outputs) - 1;
#pragma unroll
    for (int turn = 0; turn < kTurns; ++turn) {
      const int row = row_of(turn);
      const int of_matrix = !p_.gated     ? tile_ * kWidth + row
                            : row < kHalf ? tile_ * kHalf + row
                                          : p_.outputs + tile_ * kHalf + row - kHalf;
      rows_of_factors_[turn] = (min(of_matrix, last_row) >> p_.scales.row_shift) * p_.scales.row_stride;
    }
    block_ = -1;
  }
  /// Nothing where a chunk has the factors of the one before.
  __device__ __forceinline__ void fetch() {
    const int column = (share_.first_chunk + chunk_) * kLinearTileK + piece_ * 16;
    const int block = min(column >> p_.scales.column_shift, last_column_);
    if (block == block_) return;
    block_ = block;
#pragma unroll
    for (int turn = 0; turn < kTurns; ++turn)
      next_factors_[turn] = __ldg(p_.scales.data + (rows_of_factors_[turn] + block));
  }

  const PrefillLinearParams& p_;
  const Share& share_;
  int tile_;
  int chunk_ = 0;  // of the share, whose factors come next
  int last_column_;
  int piece_;
  int row_;
  int block_;  // of columns, whose factors are there
  int rows_of_factors_[kTurns];
  float next_factors_[kTurns];
};

}  // namespace
}  // namespace specthink::inline kernels
