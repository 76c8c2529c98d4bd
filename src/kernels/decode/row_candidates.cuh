// The candidates of a row: merged from the lists of a rank's blocks, then from those of all ranks, and drawn from.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/decode/candidate_keys.cuh"
#include "kernels/decode/sampling.h"
#include "kernels/exchange/exchange.cuh"
#include "specthink/kernels/sampling_rule.h"

namespace specthink::inline kernels {

constexpr int kMaxSamplingBlocks = 512;  ///< that find the candidates of a row
/// Candidates of a rank's blocks that can be among its best kMaxCandidates: of the block with the n-th best one all but
/// n.
constexpr int kMaxOwn = kMaxCandidates * (kMaxCandidates + 1) / 2;
static_assert(kMaxOwn >= kMaxExchangeRanks * kMaxCandidates, "room for what all ranks send");

/// How many of `count` keys are greater.
__device__ __forceinline__ int rank_among(CandidateKey key, const CandidateKey* keys, int count) {
  int rank = 0;
#pragma unroll 8
  for (int i = 0; i < count; ++i) rank += keys[i] > key;
  return rank;
}

/// What the choice behind a row is made of, in shared memory.
struct RowCandidates {
  CandidateKey list[kMaxOwn];  // in no order: of this rank's blocks, then of all ranks
  int listed;                  // of this rank's; 0 before
  CandidateKey bests[kMaxSamplingBlocks];
  int order[kMaxCandidates];         // blocks by their best
  CandidateKey threshold;            // the top_k-th best of these
  CandidateKey top[kMaxCandidates];  // the best top_k in order, kNoKey behind them
  double weights[kMaxCandidates];    // of these, relative to the first; 0 behind them
  double exponents[kMaxCandidates];  // logits relative to the first, by the temperature
  double noise[kMaxCandidates];
  std::uint32_t stop_entries[kMaxCandidates];
};

/// Merges the lists of a row's blocks: `put(i, key)` for the best top_k in order, kNoKey behind them.
template <int kThreads, typename Put>
__device__ __forceinline__ void merge_blocks(const DecodeSampling& p, int row, int blocks, int top_k,
                                             RowCandidates& candidates, const Put& put) {
  const int thread = static_cast<int>(threadIdx.x);
  const CandidateKey* const lists = p.blocks + static_cast<std::int64_t>(row) * blocks * kMaxCandidates;
  // The best of each block first: what is among the best top_k is in a block whose best is.
  for (int b = thread; b < blocks; b += kThreads)
    candidates.bests[b] = __ldcg(lists + static_cast<std::int64_t>(b) * kMaxCandidates);
  if (thread < kMaxCandidates) candidates.order[thread] = -1;
  if (thread == 0) candidates.threshold = kNoKey;
  __syncthreads();
  for (int b = thread; b < blocks; b += kThreads) {
    const int rank =
        candidates.bests[b] == kNoKey ? kMaxCandidates : rank_among(candidates.bests[b], candidates.bests, blocks);
    if (rank < top_k) candidates.order[rank] = b;
    if (rank == top_k - 1) candidates.threshold = candidates.bests[b];
  }
  __syncthreads();
  constexpr int kAtOnce = 4;  // loads of a thread that are under way
  for (int first = thread; first < top_k * top_k; first += kAtOnce * kThreads) {
    CandidateKey keys[kAtOnce];
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) {
      const int block_rank = (first + u * kThreads) / top_k;
      const int i = (first + u * kThreads) % top_k;
      // As many are better as blocks have better ones, and those before it in its own.
      const bool is_possible = block_rank + i < top_k && candidates.order[block_rank] >= 0;
      keys[u] = is_possible
                    ? __ldcg(lists + static_cast<std::int64_t>(candidates.order[block_rank]) * kMaxCandidates + i)
                    : kNoKey;
    }
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) {
      if (keys[u] != kNoKey && keys[u] >= candidates.threshold)
        candidates.list[atomicAdd(&candidates.listed, 1)] = keys[u];
    }
  }
  __syncthreads();
  const int listed = candidates.listed;
  for (int i = thread; i < listed; i += kThreads) {
    const int rank = rank_among(candidates.list[i], candidates.list, listed);
    if (rank < top_k) put(rank, candidates.list[i]);
  }
  for (int i = listed + thread; i < top_k; i += kThreads) put(i, kNoKey);
}

/// Waits for the lists of all ranks and merges them.
template <int kThreads>
__device__ __forceinline__ void receive_candidates(const DecodeSampling& p, int row, int top_k,
                                                   RowCandidates& candidates) {
  const int thread = static_cast<int>(threadIdx.x);
  const int total = p.ranks * top_k;
  SpinClock clock(p.limit);
  for (int i = thread; i < total; i += kThreads) {
    candidates.list[i] =
        receive_word(p.received + i / top_k * p.received_rank_stride + row * kRowKeys + i % top_k, clock);
  }
  if (thread < kMaxCandidates) candidates.top[thread] = kNoKey;
  __syncthreads();
  for (int i = thread; i < total; i += kThreads) {
    if (candidates.list[i] == kNoKey) continue;
    const int rank = rank_among(candidates.list[i], candidates.list, total);
    if (rank < top_k) candidates.top[rank] = candidates.list[i];
  }
}

/// Which of the candidates is drawn, and how many top_p keeps; for the first warp, in its first lane. `count` of them
/// are there. Each sum is taken in the order of the candidates, as sum_of() and nucleus_size() do.
__device__ __forceinline__ int draw(const RowCandidates& candidates, int top_k, int count, double top_p, int& kept) {
  constexpr int kOfLane = kMaxCandidates / 32;
  const int lane = static_cast<int>(threadIdx.x);
  double total = 0;
  double sums[kOfLane]{};  // up to a candidate and with it
#pragma unroll 4
  for (int i = 0; i < top_k; ++i) {
    const double weight = candidates.weights[i];
    total += weight;
#pragma unroll
    for (int j = 0; j < kOfLane; ++j) {
      if (i <= lane + 32 * j) sums[j] += weight;
    }
  }
  kept = count;
#pragma unroll
  for (int j = kOfLane - 1; j >= 0; --j) {
    const unsigned reaching = __ballot_sync(~0u, lane + 32 * j < count && reaches_share(sums[j], total, top_p));
    if (reaching != 0 && top_p < 1) kept = 32 * j + __ffs(static_cast<int>(reaching));
  }
  const auto score_of = [&](int i) { return candidates.exponents[i] + candidates.noise[i]; };
  int best = lane;
  double score = lane < kept ? score_of(lane) : -INFINITY;
  const auto compare = [&](int other, double other_score) {
    if (other >= kept) return;
    const bool is_next =
        best >= kept || is_better(other_score, id_of(candidates.top[other]), score, id_of(candidates.top[best]));
    if (!is_next) return;
    best = other;
    score = other_score;
  };
#pragma unroll
  for (int j = 1; j < kOfLane; ++j) compare(lane + 32 * j, score_of(lane + 32 * j));
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    const int other = __shfl_down_sync(~0u, best, distance);
    const double other_score = __shfl_down_sync(~0u, score, distance);
    compare(other, other_score);
  }
  return best;
}

}  // namespace specthink::inline kernels
