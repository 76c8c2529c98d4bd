// From the results of the warps to the attention of a query; used by attention_kernel.cuh alone.
#pragma once

#include "kernels/decode/attention/work.cuh"
#include "kernels/decode/linear/linear.h"
#include "kernels/exchange/exchange.cuh"

namespace specthink::inline kernels {

__device__ __forceinline__ float weight_of(float own, float highest) {
  return own == kNever ? 0.0f : exp2f(own - highest);
}

/// Merges the warps of the block for the first `queries`; each block of the cluster gets its share of the result.
template <typename Memory, int kHeadDim, int kBlocks>
__device__ __forceinline__ void send_shares(Memory& shared, int block, int queries) {
  constexpr int kWarps = Memory::kWarps;
  constexpr int kThreadsOfQuery = Memory::kThreads / Memory::kAll;
  const int thread = static_cast<int>(threadIdx.x);
  const int query = thread / kThreadsOfQuery;
  const int first_element = thread % kThreadsOfQuery;
  if (query >= queries) return;
  float weights[kWarps];
  float highest = kNever;
  float sum = 0;
#pragma unroll
  for (int w = 0; w < kWarps; ++w) highest = fmaxf(highest, shared.warps[w].partial.highest[query]);
#pragma unroll
  for (int w = 0; w < kWarps; ++w) {
    weights[w] = weight_of(shared.warps[w].partial.highest[query], highest);
    sum += weights[w] * shared.warps[w].partial.sum[query];
  }
#pragma unroll
  for (int element = first_element; element < kHeadDim; element += kThreadsOfQuery) {
    float value = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) value += weights[w] * shared.warps[w].partial.output[query][element];
    const int i = query * kHeadDim + element;
    ptx::store_cluster(ptx::shared_address(&shared.inbox[block][i % Memory::kShare]), i / Memory::kShare, value);
  }
  for (int to = first_element; to < kBlocks; to += kThreadsOfQuery) {
    ptx::store_cluster(ptx::shared_address(&shared.inbox_highest[block][query]), to, highest);
    ptx::store_cluster(ptx::shared_address(&shared.inbox_sum[block][query]), to, sum);
  }
}

/// Merges this block's share of all blocks' results, and the helpers' results into it.
template <typename T, typename Memory, int kHeadDim, int kBlocks, bool kEntries>
__device__ __forceinline__ void merge_shares(const AttentionParams& p, const AttentionWork& work, Memory& shared) {
  constexpr int kResults = Memory::kAll * kHeadDim;  // each cluster has so many
  constexpr int kMostHelpers = kEntries ? kMaxEntryHelpers : kMaxAttentionHelpers;
  for (int i = static_cast<int>(threadIdx.x); i < Memory::kShare; i += Memory::kThreads) {
    const int merged = (work.block * Memory::kShare + i) / kHeadDim;  // the query
    const int element = (work.block * Memory::kShare + i) % kHeadDim;
    const int row = (work.first_query + merged) / work.group;
    const int head = work.kv_head * work.group + (work.first_query + merged) % work.group;
    if (row >= (kEntries ? work.valid_rows : work.rows)) continue;
    const auto helped = [&](int helper) {
      return static_cast<uint4*>(p.split.results) +
             ((work.first_helper + helper) * p.kv_heads + work.kv_head) * kResults + work.block * Memory::kShare + i;
    };
    uint4 words[kMostHelpers];
#pragma unroll
    for (int helper = 0; helper < kMostHelpers; ++helper) {
      if (helper < work.helping && !work.is_helper()) words[helper] = ptx::load_system_16(helped(helper));
    }
    float top = kNever;
#pragma unroll
    for (int b = 0; b < kBlocks; ++b) top = fmaxf(top, shared.inbox_highest[b][merged]);
    float total = 0;
    float value = 0;
#pragma unroll
    for (int b = 0; b < kBlocks; ++b) {
      const float weight = weight_of(shared.inbox_highest[b][merged], top);
      total += weight * shared.inbox_sum[b][merged];
      value += weight * shared.inbox[b][i];
    }
    if (work.is_helper()) {
      ptx::store_system(helped(work.helper), {__float_as_uint(value), __float_as_uint(top), __float_as_uint(total), 0});
      continue;
    }
#pragma unroll
    for (int helper = 0; helper < kMostHelpers; ++helper) {
      if (helper >= work.helping) break;
      SpinClock clock(p.split.limit);
      while (!arrived(words[helper]) && !clock.expired()) words[helper] = ptx::load_system_16(helped(helper));
      ptx::store_system(helped(helper), {kNotYet, kNotYet, kNotYet, kNotYet});
      const float helper_top = __uint_as_float(words[helper].y);
      const float overall_top = fmaxf(top, helper_top);
      const float weight = weight_of(top, overall_top);
      const float helper_weight = weight_of(helper_top, overall_top);
      value = weight * value + helper_weight * __uint_as_float(words[helper].x);
      total = weight * total + helper_weight * __uint_as_float(words[helper].z);
      top = overall_top;
    }
    const int column = head * kHeadDim + element;
    const std::int64_t at = p.is_row_major ? std::int64_t{work.first_row + row} * (p.heads * kHeadDim) + column
                                           : activation_index(work.rows, work.first_row + row, column);
    static_cast<T*>(p.output)[at] = ptx::from_float<T>(value / total);
  }
}

}  // namespace specthink::inline kernels
