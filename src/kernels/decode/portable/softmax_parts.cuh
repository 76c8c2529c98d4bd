// Softmax over parts of a row's positions: by the lanes of a block, and merged from parts; used by attention.cu alone.
#pragma once

#include <cstdint>

#include "kernels/device/ptx.cuh"

namespace specthink::inline kernels {

constexpr int kAttendWarps = 4;
constexpr int kAttendThreads = 32 * kAttendWarps;
constexpr int kQueriesOfBlock = 4;                  // heads that share a KV head
constexpr int kLanes = 8;                           // that share a position
constexpr int kTogether = kAttendThreads / kLanes;  // positions that a block looks at together
constexpr int kMostParts = 64;
constexpr int kElementsOfLoad = 8;  // of 2 bytes

/// An online softmax over some positions; `kElements` of each query's output are this thread's.
template <int kElements>
struct Softmax {
  float highest[kQueriesOfBlock];
  float sum[kQueriesOfBlock];
  float output[kQueriesOfBlock][kElements];

  __device__ __forceinline__ Softmax() {
#pragma unroll
    for (int q = 0; q < kQueriesOfBlock; ++q) {
      highest[q] = -INFINITY;
      sum[q] = 0;
#pragma unroll
      for (int e = 0; e < kElements; ++e) output[q][e] = 0;
    }
  }

  __device__ __forceinline__ void add(int q, float score, const float (&value)[kElements]) {
    const float top = fmaxf(highest[q], score);
    const float rescale = exp2f(highest[q] - top);  // 0 at first
    const float weight = exp2f(score - top);
    highest[q] = top;
    sum[q] = sum[q] * rescale + weight;
#pragma unroll
    for (int e = 0; e < kElements; ++e) output[q][e] = fmaf(weight, value[e], output[q][e] * rescale);
  }
};

/// What some positions give: of each query the unnormed output, the reference of its weights, their sum.
template <int kHeadDim>
struct PartResult {
  float output[kQueriesOfBlock][kHeadDim];
  float highest[kQueriesOfBlock];
  float sum[kQueriesOfBlock];
};

/// A thread's elements of a head: those of its lane in each of the head's loads by all lanes.
template <typename T, int kLoads>
struct HeadPart {
  uint4 words[kLoads];

  __device__ __forceinline__ void load(const T* head, int lane) {
#pragma unroll
    for (int i = 0; i < kLoads; ++i) words[i] = *(reinterpret_cast<const uint4*>(head) + i * kLanes + lane);
  }
  __device__ __forceinline__ void unpack(float (&to)[kLoads * kElementsOfLoad]) const {
#pragma unroll
    for (int load = 0; load < kLoads; ++load) {
      const std::uint32_t pairs[4] = {words[load].x, words[load].y, words[load].z, words[load].w};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float2 two = ptx::unpack<T>(pairs[i]);
        to[load * kElementsOfLoad + 2 * i] = two.x;
        to[load * kElementsOfLoad + 2 * i + 1] = two.y;
      }
    }
  }
};

/// Element `e` of a thread, as an element of the head.
__device__ __forceinline__ int element_of(int e, int lane) {
  return (e / kElementsOfLoad * kLanes + lane) * kElementsOfLoad + e % kElementsOfLoad;
}

/// What results count for when they are merged.
struct PartWeights {
  float of_part[kMostParts][kQueriesOfBlock];
  float highest[kQueriesOfBlock];
  float sum[kQueriesOfBlock];
};

/// Merges results; a thread has the elements that its number and the block's size name. `kOfBlocks`: other blocks have
/// written them.
template <bool kOfBlocks, int kHeadDim, typename Store>
__device__ __forceinline__ void merge(const PartResult<kHeadDim>* results, int count, PartWeights& weights,
                                      const Store& store) {
  constexpr int kAtOnce = 8;  // loads under way
  static_assert(kAttendWarps == kQueriesOfBlock && kMostParts % 32 == 0 && kTogether <= kMostParts);
  const auto load = [](const float& value) { return kOfBlocks ? __ldcg(&value) : value; };
  const int thread = static_cast<int>(threadIdx.x);
  {
    const int q = thread / 32;  // a warp for each query
    float highest[kMostParts / 32];
    float sum[kMostParts / 32];
    float top = -INFINITY;
#pragma unroll
    for (int i = 0; i < kMostParts / 32; ++i) {
      const int part = thread % 32 + 32 * i;
      highest[i] = part < count ? load(results[part].highest[q]) : -INFINITY;
      sum[i] = part < count ? load(results[part].sum[q]) : 0;
      top = fmaxf(top, highest[i]);
    }
#pragma unroll
    for (int offset = 16; offset; offset >>= 1) top = fmaxf(top, __shfl_xor_sync(~0u, top, offset));
    float total = 0;
#pragma unroll
    for (int i = 0; i < kMostParts / 32; ++i) {
      const float weight = sum[i] == 0 ? 0 : exp2f(highest[i] - top);
      weights.of_part[thread % 32 + 32 * i][q] = weight;
      total += weight * sum[i];
    }
#pragma unroll
    for (int offset = 16; offset; offset >>= 1) total += __shfl_xor_sync(~0u, total, offset);
    if (thread % 32 == 0) {
      weights.highest[q] = top;
      weights.sum[q] = total;
    }
  }
  __syncthreads();
  for (int i = thread; i < kQueriesOfBlock * kHeadDim; i += kAttendThreads) {
    const int q = i / kHeadDim;
    const int element = i % kHeadDim;
    float output = 0;
#pragma unroll kAtOnce
    for (int part = 0; part < count; ++part) {
      output = fmaf(weights.of_part[part][q], load(results[part].output[q][element]), output);
    }
    store(q, element, weights.highest[q], weights.sum[q], output);
  }
}

}  // namespace specthink::inline kernels
