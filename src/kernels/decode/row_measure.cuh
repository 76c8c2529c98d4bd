// What requests that measure are told of a row's distribution: each block measures its part of the logits, the parts
// are merged over blocks and ranks, and the choice makes statistics of a token of them.
#pragma once

#include <cstdint>

#include "kernels/decode/candidate_keys.cuh"
#include "kernels/decode/sampling.h"

namespace specthink::inline kernels {

/// An exponent of no weight that its product with the weight is 0 of, too.
constexpr float kNoWeight = -1e4f;

__device__ __forceinline__ RowMeasure no_measure() { return {-INFINITY, 0, 0}; }

/// Both parts together.
__device__ __forceinline__ RowMeasure merge(const RowMeasure& a, const RowMeasure& b) {
  if (b.sum == 0) return a;
  if (a.sum == 0) return b;
  const float highest = fmaxf(a.highest, b.highest);
  const float shift_a = fmaxf(a.highest - highest, kNoWeight);
  const float shift_b = fmaxf(b.highest - highest, kNoWeight);
  const float scale_a = __expf(shift_a);
  const float scale_b = __expf(shift_b);
  return {highest, a.sum * scale_a + b.sum * scale_b,
          (a.weighted + shift_a * a.sum) * scale_a + (b.weighted + shift_b * b.sum) * scale_b};
}

/// Those of the lanes of a warp, in lane 0.
__device__ __forceinline__ RowMeasure merge_warp(RowMeasure measure) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    const RowMeasure other{__shfl_down_sync(0xffffffffu, measure.highest, distance),
                           __shfl_down_sync(0xffffffffu, measure.sum, distance),
                           __shfl_down_sync(0xffffffffu, measure.weighted, distance)};
    measure = merge(measure, other);
  }
  return measure;
}

/// Measures the logits that the threads of a block have as keys; for thread 0. `of_warps`: shared memory.
template <int kWarps, int kCount>
__device__ __forceinline__ RowMeasure measure_block(const CandidateKey (&keys)[kCount], RowMeasure* of_warps) {
  RowMeasure own = no_measure();
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    if (keys[i] != kNoKey) own.highest = fmaxf(own.highest, logit_of(keys[i]));
  }
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    if (keys[i] == kNoKey || own.highest == -INFINITY) continue;
    const float exponent = fmaxf(logit_of(keys[i]) - own.highest, kNoWeight);
    const float weight = __expf(exponent);
    own.sum += weight;
    own.weighted += weight * exponent;
  }
  const RowMeasure of_warp = merge_warp(own);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread % 32 == 0) of_warps[thread / 32] = of_warp;
  __syncthreads();
  RowMeasure total = no_measure();
  for (int warp = 0; warp < kWarps; ++warp) total = merge(total, of_warps[warp]);
  return total;
}

/// Merges the measures of a row's blocks and sends the result to every rank. For the first warp.
__device__ inline void send_measure(const DecodeSampling& p, int row, int blocks) {
  const int lane = static_cast<int>(threadIdx.x);
  const RowMeasure* const measures = p.block_measures + static_cast<std::int64_t>(row) * blocks;
  RowMeasure own = no_measure();
  for (int b = lane; b < blocks; b += 32) {
    own = merge(own, {__ldcg(&measures[b].highest), __ldcg(&measures[b].sum), __ldcg(&measures[b].weighted)});
  }
  own = merge_warp(own);
  if (lane != 0) return;
  const std::uint64_t words[] = {
      static_cast<std::uint64_t>(__float_as_uint(own.highest)) << 32 | __float_as_uint(own.sum),
      static_cast<std::uint64_t>(__float_as_uint(own.weighted)) << 32};
#pragma unroll
  for (int rank = 0; rank < kMaxExchangeRanks; ++rank) {
    if (rank >= p.ranks || !p.sent[rank]) continue;
    for (int i = 0; i < 2; ++i) ptx::store_system(p.sent[rank] + row * kRowKeys + kMaxCandidates + i, words[i]);
  }
}

/// Waits for the measures of all ranks and merges them; for one thread.
__device__ inline RowMeasure receive_measure(const DecodeSampling& p, int row) {
  SpinClock clock(p.limit);
  RowMeasure total = no_measure();
  for (int rank = 0; rank < p.ranks; ++rank) {
    CandidateKey* const from = p.received + rank * p.received_rank_stride + row * kRowKeys + kMaxCandidates;
    const std::uint64_t first = receive_word(from, clock);
    const std::uint64_t second = receive_word(from + 1, clock);
    total = merge(total, {__uint_as_float(static_cast<std::uint32_t>(first >> 32)),
                          __uint_as_float(static_cast<std::uint32_t>(first)),
                          __uint_as_float(static_cast<std::uint32_t>(second >> 32))});
  }
  return total;
}

/// Statistics of a token as the words that the host reads.
struct StatisticsWords {
  std::uint64_t words[kStatisticsWords];
};
__device__ __forceinline__ StatisticsWords encode_statistics(float logprob, float entropy, float processed_entropy) {
  return {{static_cast<std::uint64_t>(__float_as_uint(entropy)) << 32 | __float_as_uint(logprob),
           static_cast<std::uint64_t>(__float_as_uint(processed_entropy))}};
}
__device__ __forceinline__ float entropy_of(const StatisticsWords& statistics) {
  return __uint_as_float(static_cast<std::uint32_t>(statistics.words[0] >> 32));
}

/// Statistics of a token with this logit, which was drawn from the first `kept` of these weights.
__device__ inline StatisticsWords statistics_of(const RowMeasure& raw, float logit, const double* weights, int kept) {
  const float log_sum = logf(raw.sum);
  double sum = 0;
  double weighted = 0;
  for (int i = 0; i < kept; ++i) {
    if (weights[i] <= 0) continue;
    sum += weights[i];
    weighted += weights[i] * log(weights[i]);
  }
  const float processed = sum > 0 ? static_cast<float>(log(sum) - weighted / sum) : 0.0f;
  return encode_statistics(logit - raw.highest - log_sum, log_sum - raw.weighted / raw.sum, processed);
}

}  // namespace specthink::inline kernels
