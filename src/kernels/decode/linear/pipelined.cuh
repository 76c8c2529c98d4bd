// The products of 8-bit weights with up to eight rows of x: each warp loads its part of the next chunk while it
// converts and multiplies that of this one; used by kernel.cuh alone.
#pragma once

#include <cstdint>

#include "kernels/decode/linear/consumer.cuh"
#include "kernels/decode/linear/layout.h"
#include "kernels/decode/linear/linear.h"
#include "kernels/decode/linear/operands.cuh"
#include "kernels/decode/linear/ring.cuh"
#include "kernels/decode/linear/scales.cuh"
#include "kernels/device/ptx.cuh"

namespace specthink::inline kernels {

/// Of groups of up to `kHalves` times eight rows of the weights, none of which but those of the last tile may be beyond
/// the group.
template <typename T, int kRows, LinearInput kInput, LinearOutput kOutput, int kHalves>
class PipelinedMultiplier {
 public:
  using ThisConsumer = Consumer<WeightFormat::float8, kRows, kInput>;

  /// `halves`: the warp's memory for scale_pair(). `chunks`: of the block, which begins with `first_group`.
  __device__ __forceinline__ PipelinedMultiplier(const LinearParams& p, const ThisConsumer& consumer,
                                                 const BlockScales<kOutput>& scales, std::uint32_t shared_scales,
                                                 std::uint32_t halves, Ring& ring, int first_group, int chunks)
      : p_(p),
        consumer_(consumer),
        scales_(scales),
        shared_scales_(shared_scales),
        halves_(halves),
        ring_(ring),
        first_group_(first_group),
        left_(chunks) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = min((kTiles - 1) * kTileRows + 8 * half + consumer.g, consumer.weight_rows - 1);
      last_tile_[half] = consumer.weight_offset + (row - consumer.g) * kChunkRowBytes;
    }
  }

  /// The sums of a group over this warp's columns, into shared memory.
  __device__ __forceinline__ void multiply(int group, float* sums) {
    const OfGroup scales(p_, scales_, shared_scales_, group, consumer_.columns_of, consumer_.g);
    const int chunks = p_.geometry.chunks;
    float accumulators[kTiles][1][4] = {};
    if (group == first_group_) load_first();
    for (int chunk = 0; chunk < chunks; ++chunk) {
      std::uint32_t used = x_[0].pairs[0] ^ x_[0].pairs[4];
#pragma unroll
      for (int half = 0; half < kHalves; ++half) used ^= weights_[half].x;
      ring_.release(used);
      if (--left_ > 0) ring_.await();
      const std::uint32_t stage = ring_.stage();  // behind the last chunk: whatever is there is loaded, and not used
      const uint2 four = load_pair(ring_.x_of_stage());
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
        const auto factors = scales.load(chunk, tile);
        const auto low = Operands::prepare(weights_[2 * tile]);
        weights_[2 * tile] = load_weights(stage, 2 * tile);
        typename Operands::Weights high{};
        if (2 * tile + 1 < kHalves) {
          high = Operands::prepare(weights_[2 * tile + 1]);
          weights_[2 * tile + 1] = load_weights(stage, 2 * tile + 1);
        }
        typename OfGroup::template Sums<1> of_tile{accumulators[tile]};
        Operands::multiply(low, high, x_[0], of_tile.of(0));
        of_tile.add(factors, x_);
      }
      load_x(ring_.x_of_stage(), chunk + 1 == chunks ? 0 : chunk + 1, four);
    }
    consumer_.template store_sums<kIsScaled<WeightFormat::float8, T>>(accumulators, sums);
  }

 private:
  using Operands = LinearOperands<WeightFormat::float8, T>;
  static constexpr int kTiles = (kHalves + 1) / 2;
  using OfGroup = GroupScales<WeightFormat::float8, kOutput, kTiles, true>;
  static constexpr bool kByPairs =
      kInput == LinearInput::activations && kIsScaled<WeightFormat::float8, T> && kRows == 1;

  __device__ __forceinline__ void load_first() {
    if constexpr (kInput != LinearInput::norm) ring_.await_first_activations();
    ring_.await();
    const std::uint32_t stage = ring_.stage();
    const uint2 four = load_pair(ring_.x_of_stage());
#pragma unroll
    for (int half = 0; half < kHalves; ++half) weights_[half] = load_weights(stage, half);
    load_x(ring_.x_of_stage(), 0, four);
  }

  __device__ __forceinline__ uint4 load_weights(std::uint32_t stage, int half) const {
    const bool in_last_tile = half / 2 == kTiles - 1;
    const std::uint32_t offset =
        in_last_tile ? last_tile_[half % 2] : consumer_.weight_offset + half * 8 * kChunkRowBytes;
    return ptx::load_shared_16(stage + offset);
  }

  __device__ __forceinline__ uint2 load_pair(std::uint32_t x_of_stage) const {
    if constexpr (!kByPairs) return {};
    return ptx::load_shared_8(x_of_stage + (consumer_.warp & ~1) * consumer_.kXBytes + threadIdx.x % 32 * 8);
  }

  __device__ __forceinline__ void load_x(std::uint32_t x_of_stage, int chunk, const uint2& four) {
    if constexpr (kByPairs) {
      x_[0] = Operands::scale_pair(four, halves_, consumer_.columns_of & 1, consumer_.t);
    } else {
      kernels::load_x<Operands>(consumer_, x_of_stage, chunk, x_);
    }
  }

  const LinearParams& p_;
  const ThisConsumer& consumer_;
  const BlockScales<kOutput>& scales_;
  std::uint32_t shared_scales_;
  std::uint32_t halves_;
  Ring& ring_;
  int first_group_;
  int left_;                    // chunks of the block
  std::uint32_t last_tile_[2];  // from a stage
  // Of the next chunk to be multiplied:
  uint4 weights_[kHalves];
  typename Operands::X x_[1];
};

}  // namespace specthink::inline kernels
