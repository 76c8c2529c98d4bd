// Tiles of the cache in shared memory, and attention over them by one warp; used by attention_kernel.cuh alone.
#pragma once

#include <cstdint>

#include "kernels/decode/attention/attention.h"
#include "kernels/device/ptx.cuh"

namespace specthink::inline kernels {

constexpr int kTile = 16;    // positions of a tile
constexpr int kQueries = 8;  // columns of one matrix instruction
constexpr float kNever = -INFINITY;
constexpr float kSlack = 8;
static_assert(kSplitQueries == kQueries);

/// Rows of head_dim elements whose 16-byte pieces are permuted by the row, so that eight rows of one piece lie in
/// different banks.
template <typename T, int kHeadDim>
struct SwizzledRows {
  static constexpr std::uint32_t kRowBytes = kHeadDim * 2;

  static __device__ __forceinline__ std::uint32_t offset(int row, int piece) {
    return row * kRowBytes + (piece ^ (row & 7)) * 16;
  }
  static __device__ __forceinline__ std::uint32_t element_offset(int row, int element) {
    return offset(row, element / 8) + element % 8 * 2;
  }
};

template <typename T, int kHeadDim>
struct TilePair {
  T keys[kTile * kHeadDim];
  T values[kTile * kHeadDim];
};

/// Brings tiles of the cache into this warp's ring.
template <typename T, int kHeadDim>
class TileLoader {
 public:
  /// `position`: the cache holds what is before; `pages`: of the sequence.
  __device__ __forceinline__ TileLoader(const AttentionParams& p, const std::int32_t* pages, int kv_head, int position)
      : p_(p), pages_(pages), position_(position), row_elements_(static_cast<std::int64_t>(p.kv_heads) * kHeadDim) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    column_ = kv_head * kHeadDim + lane % kPieces * 8;
    row_ = lane / kPieces;
    piece_ = lane % kPieces;
  }

  __device__ __forceinline__ int page_of(int tile) const { return __ldg(pages_ + tile * kTile / p_.page_tokens); }

  __device__ __forceinline__ void copy(TilePair<T, kHeadDim>& to, int tile, int page) const {
    const std::uint32_t keys = ptx::shared_address(to.keys);
    const std::uint32_t values = ptx::shared_address(to.values);
    const std::int64_t first =
        (static_cast<std::int64_t>(page) * p_.page_tokens + tile * kTile % p_.page_tokens) * row_elements_ + column_;
#pragma unroll
    for (int row = 0; row < kTile; row += kRowsAtOnce) {
      const std::int64_t element = first + (row + row_) * row_elements_;
      const bool there = tile * kTile + row + row_ < position_;
      const std::uint32_t offset = SwizzledRows<T, kHeadDim>::offset(row + row_, piece_);
      ptx::copy_async_16(keys + offset, static_cast<const T*>(p_.keys) + element, there);
      ptx::copy_async_16(values + offset, static_cast<const T*>(p_.values) + element, there);
    }
  }

 private:
  static constexpr int kPieces = kHeadDim / 8;
  static constexpr int kRowsAtOnce = 32 / kPieces;

  const AttentionParams& p_;
  const std::int32_t* pages_;
  int position_;
  std::int64_t row_elements_;
  int column_, row_, piece_;
};

/// One warp's softmax over the positions that it has seen, and the values weighted by it. Lane 4g + t holds queries 2t
/// and 2t + 1 of each query tile.
template <typename T, int kHeadDim, int kQueryTiles>
struct Accumulator {
  static constexpr int kParts = kHeadDim / 16;
  float output[kQueryTiles][kParts][4] = {};  // elements g and g + 8 of a part, queries 2t and 2t + 1
  float highest[kQueryTiles][2];
  float sum[kQueryTiles][2] = {};  // over this lane's positions only

  __device__ __forceinline__ Accumulator() {
#pragma unroll
    for (int q = 0; q < kQueryTiles; ++q) highest[q][0] = highest[q][1] = kNever;
  }

  /// Takes in a tile. `visible(position in the tile, query)`; `scale` turns scores into powers of two.
  template <typename Visible>
  __device__ __forceinline__ void add(std::uint32_t keys, std::uint32_t values, std::uint32_t queries, float scale,
                                      const Visible& visible) {
    using Rows = SwizzledRows<T, kHeadDim>;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int g = lane / 4;
    const int t = lane % 4;

    // Scores: K [16 positions, head_dim] · Qᵀ [head_dim, 8 queries], two parts of 16 elements at a time.
    float scores[kQueryTiles][4] = {};
    float other_scores[kQueryTiles][4] = {};  // half of the parts: two short chains of dependent instructions
    const int key_row = lane % 16;
    const int query_row = lane % 8;
#pragma unroll
    for (int part = 0; part < kParts; part += 2) {
      const uint4 a0 = ptx::load_matrices(keys + Rows::offset(key_row, 2 * part + lane / 16));
      const uint4 a1 = ptx::load_matrices(keys + Rows::offset(key_row, 2 * part + 2 + lane / 16));
#pragma unroll
      for (int q = 0; q < kQueryTiles; ++q) {
        const uint4 b = ptx::load_matrices(queries + Rows::offset(q * kQueries + query_row, 2 * part + lane / 8));
        ptx::mma<T>(scores[q], a0.x, a0.y, a0.z, a0.w, b.x, b.y);
        ptx::mma<T>(other_scores[q], a1.x, a1.y, a1.z, a1.w, b.z, b.w);
      }
    }
#pragma unroll
    for (int q = 0; q < kQueryTiles; ++q) {
#pragma unroll
      for (int i = 0; i < 4; ++i) scores[q][i] += other_scores[q][i];
    }

    // The reference of the exponentials is a maximum of earlier tiles; it moves only when a score is well above it,
    // which is rare after the first tiles. Up to there weights are at most 2^kSlack, which float32 sums hold without
    // loss.
    bool above = false;
#pragma unroll
    for (int q = 0; q < kQueryTiles; ++q) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int query = q * kQueries + 2 * t + i;
        scores[q][i] = visible(g, query) ? scores[q][i] * scale : kNever;
        scores[q][i + 2] = visible(g + 8, query) ? scores[q][i + 2] * scale : kNever;
        above |= fmaxf(scores[q][i], scores[q][i + 2]) > highest[q][i] + kSlack;
      }
    }
    if (__any_sync(~0u, above)) raise(scores);
    std::uint32_t weights[kQueryTiles][2];
#pragma unroll
    for (int q = 0; q < kQueryTiles; ++q) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        scores[q][i] = exp2f(scores[q][i] - highest[q][i]);
        scores[q][i + 2] = exp2f(scores[q][i + 2] - highest[q][i]);
        sum[q][i] += scores[q][i] + scores[q][i + 2];
      }
      weights[q][0] = ptx::transpose_8x8(ptx::pack<T>(scores[q][0], scores[q][1]));
      weights[q][1] = ptx::transpose_8x8(ptx::pack<T>(scores[q][2], scores[q][3]));
    }

    // output += Vᵀ [head_dim, 16 positions] · weights [16 positions, 8 queries]
    const int value_row = lane % 8 + lane / 16 * 8;
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      const uint4 a = ptx::load_matrices_transposed(values + Rows::offset(value_row, 2 * part + lane / 8 % 2));
#pragma unroll
      for (int q = 0; q < kQueryTiles; ++q) {
        ptx::mma<T>(output[q][part], a.x, a.y, a.z, a.w, weights[q][0], weights[q][1]);
      }
    }
  }

  /// Makes the maximum of these scores the reference where it is greater.
  __device__ __forceinline__ void raise(const float (&scores)[kQueryTiles][4]) {
#pragma unroll
    for (int q = 0; q < kQueryTiles; ++q) {
      float rescale[2];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float top = fmaxf(scores[q][i], scores[q][i + 2]);
#pragma unroll
        for (int offset = 4; offset < 32; offset *= 2) top = fmaxf(top, __shfl_xor_sync(~0u, top, offset));
        top = fmaxf(top, highest[q][i]);
        rescale[i] = exp2f(highest[q][i] - top);
        highest[q][i] = top;
        sum[q][i] *= rescale[i];
      }
#pragma unroll
      for (int part = 0; part < kParts; ++part) {
        output[q][part][0] *= rescale[0];
        output[q][part][1] *= rescale[1];
        output[q][part][2] *= rescale[0];
        output[q][part][3] *= rescale[1];
      }
    }
  }

  /// Of the first `queries`.
  template <typename Partial>
  __device__ __forceinline__ void store(Partial& partial, int queries) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int g = lane / 4;
    const int t = lane % 4;
#pragma unroll
    for (int q = 0; q < kQueryTiles; ++q) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float total = sum[q][i];
#pragma unroll
        for (int offset = 4; offset < 32; offset *= 2) total += __shfl_xor_sync(~0u, total, offset);
        const int query = q * kQueries + 2 * t + i;
        if (query >= queries) continue;
        if (g == 0) {
          partial.highest[query] = highest[q][i];
          partial.sum[query] = total;
        }
#pragma unroll
        for (int part = 0; part < kParts; ++part) {
          partial.output[query][16 * part + g] = output[q][part][i];
          partial.output[query][16 * part + g + 8] = output[q][part][i + 2];
        }
      }
    }
  }
};

}  // namespace specthink::inline kernels
