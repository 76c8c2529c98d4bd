// How a block of linear layer.cu divides its threads and its shared memory; for the kernel and for choosing its
// geometry.
#pragma once

#include "kernels/decode/linear/linear.h"
#include "kernels/device/tensor_map.h"

namespace specthink::inline kernels {

constexpr int kConsumerWarps = 16;
constexpr int kConsumers = kConsumerWarps * 32;
constexpr int kThreads = kConsumers + 32;
constexpr int kTileRows = 8;  // weight rows of one matrix instruction
constexpr int kMaxTiles = kMaxGroupRows / kTileRows;
constexpr int kChunkRowBytes = kChunkColumns * 2;
static_assert(kChunkColumns == kBoxColumns);
constexpr int kColumnBytes = 64;  // one warp's 32 columns
constexpr int kLeastStages = 4;   // wanted, where the shared memory allows
constexpr int kMaxStages = 24;
constexpr int kBarrierBytes = 1024;              // 2 barriers a stage
constexpr int kWarpStride = kConsumerWarps + 1;  // between sums of different outputs, against bank conflicts
constexpr int kFloat4sOfPass = 4 * kConsumers;   // columns that the consumers hold in one float4 each
constexpr int kConsumerBarrier = 1;
constexpr int kReadyBarrier = 2;

/// Shared memory that a block may take, in bytes: what linear_shared_budget() chooses from.
constexpr std::size_t kHalfBudget = 108 * 1024;
constexpr std::size_t kDownBudget = 100 * 1024;
constexpr std::size_t kGateUpBudget = 120 * 1024;
constexpr std::size_t kBesideAttentionBudget = 140 * 1024;
constexpr std::size_t kQkvBudget = 188 * 1024;
constexpr std::size_t kWholeBudget = 220 * 1024;
constexpr std::size_t kBudgets[] = {kHalfBudget,   kWholeBudget,           kDownBudget,
                                    kGateUpBudget, kBesideAttentionBudget, kQkvBudget};

constexpr int weight_rows_of(LinearOutput output, int group_rows) {
  return output == LinearOutput::swiglu ? 2 * group_rows : group_rows;
}

constexpr std::size_t stage_bytes(int weight_rows, int x_rows, LinearInput input) {
  return static_cast<std::size_t>(weight_rows) * kChunkRowBytes +
         (input == LinearInput::activations ? static_cast<std::size_t>(x_rows) * kChunkRowBytes : 0);
}

/// What is there once a block: barriers, the normed row, the warps' sums.
constexpr std::size_t fixed_bytes(int weight_rows, int chunks, int x_rows, LinearInput input) {
  return kBarrierBytes + (input == LinearInput::norm ? static_cast<std::size_t>(chunks) * kChunkRowBytes : 0) +
         static_cast<std::size_t>(weight_rows) * x_rows * kWarpStride * sizeof(float) + kConsumerWarps * sizeof(float);
}

}  // namespace specthink::inline kernels
