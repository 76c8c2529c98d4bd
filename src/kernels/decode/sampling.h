// From a row of sharded logits to the next token, on the device.
//
// Candidates are 64-bit keys that compare as (logit, then smaller id): the float's bits made monotonic, then the
// complement of the id. Each rank finds its own `top_k` candidates, sends them to every rank, and all ranks choose the
// same token from the same lists: temperature, top-k, top-p and draw as in engine/sampling.h.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/decode/slot_state.h"
#include "kernels/exchange/exchange.h"

namespace specthink::inline kernels {

using CandidateKey = std::uint64_t;
/// What a rank sends of a row: its candidates, and two words that measure its part of the logits where that is asked
/// for.
constexpr int kRowKeys = kMaxCandidates + 2;
constexpr int kLogitsPerBlock = 2048;
constexpr std::uint32_t kResultSlots = 64;  ///< results of a slot that may wait to be read
constexpr int kStatisticsWords = 2;         ///< of a token: logprob, entropy; processed entropy

/// A part of a row's distribution: its highest logit, the sum of the weights relative to it, and the sum of their
/// products with their exponents.
struct RowMeasure {
  float highest;
  float sum;
  float weighted;
};

/// Buffers and tables of one model's sampling, in device memory but for `results`.
struct DecodeSampling {
  SlotState* slots = nullptr;
  StepLayout* layout = nullptr;
  const float* logits = nullptr;  // [rows, logits_stride]
  std::int64_t logits_stride = 0;
  std::int64_t first_id = 0;                   // id of column 0
  std::int64_t columns = 0;                    // ids of this shard
  CandidateKey* blocks = nullptr;              // [rows, sampling_blocks(columns), kMaxCandidates]
  CandidateKey* sent[kMaxExchangeRanks] = {};  // this rank's part of each rank's `received`
  CandidateKey* received = nullptr;            // [ranks, rows, kRowKeys], all ones where nothing has arrived
  std::int64_t received_rank_stride = 0;
  int ranks = 1;
  std::uint64_t* chosen = nullptr;   // [most rows] the choice behind each row of proposals
  std::uint32_t* arrived = nullptr;  // [most rows] zeros: rows of an entry whose choice is there
  std::uint64_t* results = nullptr;  // host memory, [kMaxSlots, kResultSlots]: encode_result by serial number
  // Of requests that measure.
  RowMeasure* block_measures = nullptr;        // [rows, sampling_blocks(columns)]
  std::uint64_t* chosen_statistics = nullptr;  // [most rows, kStatisticsWords] of the choice behind each row
  std::uint64_t* statistics = nullptr;         // host memory, [kMaxSlots, kResultSlots, kStatisticsWords]
  // The step's last slot of partial sums, reset here.
  float* reset = nullptr;
  std::int64_t reset_rank_stride = 0;
  int reset_float4s = 0;
  int reset_ranks = 0;
  SpinLimit limit;
  std::uint64_t* select_marks = nullptr;  // kernels/device/kernel_timeline.cuh
  std::uint64_t* choose_marks = nullptr;
};

/// Blocks that find the candidates of a row.
constexpr std::int64_t sampling_blocks(std::int64_t columns) {
  return columns > 0 ? (columns + kLogitsPerBlock - 1) / kLogitsPerBlock : 1;
}

enum class SamplingPart {
  all,     ///< candidates, exchange and choice in one go: peers' memory is mapped
  select,  ///< this rank's candidates into sent[0]
  choose,  ///< the choice from `received`, which somebody else has filled
};

/// Samples behind the rows of the layout that are to be sampled; `rows`: of the step, 1 to 128. Reads 4 bytes a logit
/// of those rows, and writes and reads top_k · 8 bytes of every 2048 logits and to and from every rank.
/// `chained`: the second of its kernels starts before the first has ended, where the GPU can.
void launch_decode_sampling(const DecodeSampling& sampling, SamplingPart part, int rows, bool dependent,
                            cudaStream_t stream, bool chained = true);

}  // namespace specthink::inline kernels
