// How a block of linear layer.cu divides its threads and its shared memory; for the kernel and for choosing its
// geometry.
#pragma once

#include "kernels/decode/linear/linear.h"
#include "kernels/device/tensor_map.h"

namespace specthink::inline kernels {

constexpr int kConsumerWarps = 16;
constexpr int kConsumers = kConsumerWarps * 32;
constexpr int kThreads = kConsumers + 32;
constexpr int kTileRows = 16;  // weight rows of one matrix instruction
constexpr int kMaxTiles = kMaxGroupRows / kTileRows;
static_assert(kChunkRowBytes == kBoxRowBytes);
constexpr int kColumnBytes = 64;  // one warp's part of a row of the weights, and 32 columns of x
/// Until the first of them has arrived, a block has asked for two stages of its ring, or one of more bytes than this:
/// enough to keep the memory busy. With all of the ring, what the input needs (sums, norm weights, activations) would
/// wait behind 200 KB an SM. (Measured: 1.7B on two H200 0.794 ms with two stages, 0.806 with four, 0.816 with all.)
constexpr std::size_t kSmallStage = 32 * 1024;
/// Later a block asks for so many bytes at once, and leaves the rest of its ring to what has arrived: SMs that are
/// served first seem to take bandwidth from the others otherwise, for which all wait in the end. (32B on one H200, one
/// call: 14.83 ms with 96 KB, 14.94 with 48, 14.93 with 144, 15.00 with all of the ring.)
constexpr std::size_t kBytesUnderWay = 96 * 1024;
/// Wanted, where the shared memory allows. Of 8-bit weights and many rows of x, x takes most of a stage: larger groups,
/// for each of which all of x is read, do better with fewer of them.
constexpr int least_stages(int x_rows, WeightFormat format) {
  return format == WeightFormat::float8 && x_rows >= 8 ? 3 : 4;
}
constexpr int kMaxStages = 24;
constexpr int kBarrierBytes = 1024;  // 2 barriers a stage, and one for the first activations
constexpr int kFirstXBarrier = kBarrierBytes - 8;
constexpr int kWarpStride = kConsumerWarps + 1;  // between sums of different outputs, against bank conflicts
constexpr int kFloat4sOfPass = 4 * kConsumers;   // columns that the consumers hold in one float4 each
constexpr int kConsumerBarrier = 1;
constexpr int kReadyBarrier = 2;

/// Shared memory that a block may take, in bytes: what linear_shared_budget() chooses from.
constexpr std::size_t kHalfBudget = 108 * 1024;
constexpr std::size_t kDownBudget = 100 * 1024;
constexpr std::size_t kBesideAttentionBudget = 140 * 1024;
constexpr std::size_t kQkvBudget = 188 * 1024;
constexpr std::size_t kWholeBudget = 220 * 1024;
// Of short layers: qkv beside the attention of one row, gate_up beside output and down.
constexpr std::size_t kBesideAttentionOfOneRowBudget = 82 * 1024;
constexpr std::size_t kGateUpBudget = 153 * 1024;
constexpr std::size_t kBesideGateUpBudget = 72 * 1024;
constexpr std::size_t kFixedOfGateUp = 9 * 1024;  // beside its ring: barriers, the normed row, sums
constexpr std::size_t kBudgets[] = {
    kHalfBudget,   kWholeBudget,       kDownBudget, kBesideAttentionBudget, kQkvBudget, kBesideAttentionOfOneRowBudget,
    kGateUpBudget, kBesideGateUpBudget};

constexpr int weight_rows_of(LinearOutput output, int group_rows) {
  return output == LinearOutput::swiglu ? 2 * group_rows : group_rows;
}

/// Factors of 8-bit weights that a block has in shared memory, behind its barriers; the ring is behind them.
constexpr int kSharedScales = 1024;
constexpr int ring_offset(WeightFormat format) {
  return kBarrierBytes + (format == WeightFormat::float8 ? kSharedScales * static_cast<int>(sizeof(float)) : 0);
}

/// Outputs of a group may be written while the sums of the next one come: of 8-bit weights, whose groups are short, and
/// few rows of x, for which there is room.
constexpr int sum_buffers(int x_rows, WeightFormat format) {
  return format == WeightFormat::float8 && x_rows <= 2 ? 2 : 1;
}

/// Of a row of x in a chunk.
constexpr int x_row_bytes(WeightFormat format) { return chunk_columns(format) * 2; }

constexpr std::size_t stage_bytes(int weight_rows, int x_rows, LinearInput input, WeightFormat format) {
  const int x_bytes = input != LinearInput::norm ? x_rows * x_row_bytes(format) : 0;
  return static_cast<std::size_t>(weight_rows * kChunkRowBytes + x_bytes);
}

/// Of a warp, for its own and its neighbour's columns of one row of x as float16; the second half lies in other banks.
constexpr int kHalvesOfPair = 128 + 16;
constexpr int kHalvesOfWarp = 2 * kHalvesOfPair - 16;
constexpr int halves_bytes(int x_rows, LinearInput input, WeightFormat format) {
  const bool is_there = format == WeightFormat::float8 && input == LinearInput::activations && x_rows == 1;
  return is_there ? kConsumerWarps * kHalvesOfWarp : 0;
}

/// The normed row, in the order of its columns; or one row of x as float16.
constexpr int row_bytes(int chunks, int x_rows, LinearInput input, WeightFormat format) {
  return input == LinearInput::norm ? chunks * x_row_bytes(format) : halves_bytes(x_rows, input, format);
}

/// What is there once a block: barriers, factors, a row of x, the warps' sums.
constexpr std::size_t fixed_bytes(int weight_rows, int chunks, int x_rows, LinearInput input, WeightFormat format) {
  const int sums = sum_buffers(x_rows, format) * weight_rows * x_rows * kWarpStride;
  return static_cast<std::size_t>(ring_offset(format) + row_bytes(chunks, x_rows, input, format)) +
         static_cast<std::size_t>(sums + 2 * kConsumerWarps) * sizeof(float);
}

}  // namespace specthink::inline kernels
