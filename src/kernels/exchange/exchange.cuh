// The device side of exchange.h.
#pragma once

#include "kernels/device/ptx.cuh"
#include "kernels/exchange/exchange.h"

namespace specthink {

class SpinClock {
 public:
  __device__ explicit SpinClock(const SpinLimit& limit) : limit_(limit) {}

  /// True when waiting on is no use. Cheap: it looks at the clock only now and then, and at the host's memory more
  /// rarely.
  __device__ __forceinline__ bool expired() {
    if (++spins_ % kSpinsPerClock != 0) return false;
    const std::uint64_t now = ptx::nanoseconds();
    if (start_ == 0) start_ = now;
    if (*static_cast<volatile std::uint32_t*>(limit_.failed) != 0) return true;
    const bool aborted = spins_ % kSpinsPerAbort == 0 && *static_cast<const volatile std::uint32_t*>(limit_.abort) != 0;
    if (!aborted && now - start_ < limit_.nanoseconds) return false;
    *static_cast<volatile std::uint32_t*>(limit_.failed) = 1;
    return true;
  }

 private:
  static constexpr std::uint32_t kSpinsPerClock = 256;
  static constexpr std::uint32_t kSpinsPerAbort = 64 * kSpinsPerClock;

  const SpinLimit& limit_;
  std::uint64_t start_ = 0;
  std::uint32_t spins_ = 0;
};

__device__ __forceinline__ bool arrived(const uint4& words) {
  return words.x != kNotYet && words.y != kNotYet && words.z != kNotYet && words.w != kNotYet;
}

__device__ __forceinline__ float4 as_floats(const uint4& words) {
  return {__uint_as_float(words.x), __uint_as_float(words.y), __uint_as_float(words.z), __uint_as_float(words.w)};
}

__device__ __forceinline__ void add(float4& sum, const float4& value) {
  sum.x += value.x;
  sum.y += value.y;
  sum.z += value.z;
  sum.w += value.w;
}

/// sum[q] = Σ over ranks, in rank order, of the float4 at `first` + q · `stride`, for those below `end`; 0 beyond. All
/// loads of a pair of ranks are issued before the first is looked at.
template <int kFloat4s>
__device__ __forceinline__ void sum_partials(const float* data, std::int64_t rank_stride, int ranks,
                                             const SpinLimit& limit, int first, int stride, int end,
                                             float4 (&sum)[kFloat4s]) {
  SpinClock clock(limit);
  uint4 words[2][kFloat4s];
  const auto load = [&](int which, int rank, int q) {
    words[which][q] =
        ptx::load_system_16(data + rank * rank_stride + 4 * static_cast<std::int64_t>(first + q * stride));
  };
  const auto collect = [&](int which, int rank, int q) {
    while (!arrived(words[which][q])) {
      load(which, rank, q);
      if (clock.expired()) break;
    }
    return as_floats(words[which][q]);
  };
#pragma unroll
  for (int q = 0; q < kFloat4s; ++q) sum[q] = {0, 0, 0, 0};
#pragma unroll
  for (int q = 0; q < kFloat4s; ++q) {
    if (first + q * stride >= end) continue;
    if (ranks > 1) load(1, 1, q);
    load(0, 0, q);
  }
#pragma unroll
  for (int q = 0; q < kFloat4s; ++q) {
    if (first + q * stride >= end) continue;
    sum[q] = collect(0, 0, q);
    if (ranks > 1) add(sum[q], collect(1, 1, q));
  }
  for (int rank = 2; rank < ranks; ++rank) {
#pragma unroll
    for (int q = 0; q < kFloat4s; ++q) {
      if (first + q * stride < end) load(0, rank, q);
    }
#pragma unroll
    for (int q = 0; q < kFloat4s; ++q) {
      if (first + q * stride < end) add(sum[q], collect(0, rank, q));
    }
  }
}

/// Fills `float4s` float4 of each rank's part with kNotYet; `index` counts over all threads that take part. Another
/// rank may write to the buffer soon after, so that these are stores of the system's scope, like its own.
__device__ __forceinline__ void reset_partials(float* buffer, std::int64_t rank_stride, int ranks, int float4s,
                                               int index, int threads) {
  if (!buffer) return;
  const uint4 not_yet = {kNotYet, kNotYet, kNotYet, kNotYet};
  for (int i = index; i < float4s * ranks; i += threads) {
    float* part = buffer + (i / float4s) * rank_stride;
    ptx::store_system(reinterpret_cast<uint4*>(part) + i % float4s, not_yet);
  }
}

__device__ __forceinline__ void send_partial(const SentPartials& sent, std::int64_t index, float value) {
#pragma unroll
  for (int rank = 0; rank < kMaxExchangeRanks; ++rank) {
    if (rank < sent.ranks) ptx::store_system(sent.to[rank] + index, value);
  }
}

}  // namespace specthink
