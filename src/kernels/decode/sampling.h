// From a row of sharded logits to the next token, on the device.
//
// Candidates are 64-bit keys that compare as (logit, then smaller id): the float's bits made monotonic, then the
// complement of the id. Each rank finds its own `top_k` candidates, sends them to every rank, and all ranks choose the
// same token from the same lists: temperature, top-k, top-p and draw as in engine/sampling.h.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/decode/request_state.h"
#include "kernels/exchange/exchange.h"

namespace specthink {

using CandidateKey = std::uint64_t;
constexpr int kLogitsPerBlock = 2048;

/// Buffers and tables of one model's sampling, in device memory but for `results`.
struct DecodeSampling {
  RequestState* state = nullptr;
  const float* logits = nullptr;  // [rows, logits_stride]; the row of the last valid token is sampled
  std::int64_t logits_stride = 0;
  std::int64_t first_id = 0;                   // id of column 0
  std::int64_t columns = 0;                    // ids that may be sampled from this shard
  CandidateKey* blocks = nullptr;              // [ceil(columns / kLogitsPerBlock), kMaxCandidates]
  CandidateKey* sent[kMaxExchangeRanks] = {};  // this rank's list in each rank's `received`, kMaxCandidates each
  CandidateKey* received = nullptr;            // [ranks, kMaxCandidates], all ones where nothing has arrived
  int ranks = 1;
  std::uint64_t* results = nullptr;  // host memory, [result_slots]: encode_result by serial number
  std::uint32_t result_slots = 0;
  // The step's last slot of partial sums, reset here.
  float* reset = nullptr;
  std::int64_t reset_rank_stride = 0;
  int reset_float4s = 0;
  int reset_ranks = 0;
  SpinLimit limit;
  std::uint64_t* select_marks = nullptr;  // kernels/device/kernel_timeline.cuh
  std::uint64_t* choose_marks = nullptr;
};

enum class SamplingPart {
  all,     ///< candidates, exchange and choice in one go: peers' memory is mapped
  select,  ///< this rank's candidates into sent[0]
  choose,  ///< the choice from `received`, which somebody else has filled
};

void launch_decode_sampling(const DecodeSampling& sampling, SamplingPart part, bool dependent, cudaStream_t stream);

}  // namespace specthink
