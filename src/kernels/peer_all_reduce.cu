#include "kernels/exchange.cuh"
#include "kernels/kernel_launch.cuh"
#include "kernels/peer_all_reduce_launch.h"
#include "kernels/ptx.cuh"

namespace specthink {
namespace {

constexpr int kThreads = 256;
constexpr int kWordsOfThread = 2;

template <typename T>
__device__ __forceinline__ void add_word(float (&sum)[8], const uint4& word) {
  const std::uint32_t parts[4] = {word.x, word.y, word.z, word.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 pair = ptx::unpack<T>(parts[i]);
    sum[2 * i] += pair.x;
    sum[2 * i + 1] += pair.y;
  }
}

/// A block sends before it waits, and blocks start in order: what a block waits for is sent by one that runs already.
template <typename T>
__global__ void __launch_bounds__(kThreads) peer_all_reduce(const __grid_constant__ PeerAllReduceParams p) {
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kThreads * kWordsOfThread + threadIdx.x;
  uint4* const data = static_cast<uint4*>(p.data);
  uint4 own[kWordsOfThread];
#pragma unroll
  for (int i = 0; i < kWordsOfThread; ++i) {
    const std::int64_t word = first + i * kThreads;
    if (word < p.words) own[i] = data[word];
  }
#pragma unroll
  for (int i = 0; i < kWordsOfThread; ++i) {
    const std::int64_t word = first + i * kThreads;
    if (word >= p.words) continue;
#pragma unroll
    for (int rank = 0; rank < kMaxExchangeRanks; ++rank) {
      if (rank < p.ranks && p.sent[rank]) ptx::store_system(p.sent[rank] + word, own[i]);
    }
  }
  SpinClock clock(p.limit);
#pragma unroll
  for (int i = 0; i < kWordsOfThread; ++i) {
    const std::int64_t word = first + i * kThreads;
    if (word >= p.words) continue;
    float sum[8] = {};
    for (int rank = 0; rank < p.ranks; ++rank) {
      if (rank == p.rank) {
        add_word<T>(sum, own[i]);
        continue;
      }
      uint4* const from = p.received[rank] + word;
      uint4 theirs = ptx::load_system_16(from);
      while (!arrived(theirs)) {
        if (clock.expired()) break;
        theirs = ptx::load_system_16(from);
      }
      *from = {kNotYet, kNotYet, kNotYet, kNotYet};
      add_word<T>(sum, theirs);
    }
    data[word] = {ptx::pack<T>(sum[0], sum[1]), ptx::pack<T>(sum[2], sum[3]), ptx::pack<T>(sum[4], sum[5]),
                  ptx::pack<T>(sum[6], sum[7])};
  }
}

}  // namespace

void launch_peer_all_reduce(const PeerAllReduceParams& params, ElementType type, cudaStream_t stream) {
  constexpr int kWordsOfBlock = kThreads * kWordsOfThread;
  const LaunchShape shape{dim3(static_cast<unsigned>((params.words + kWordsOfBlock - 1) / kWordsOfBlock)), kThreads};
  if (type == ElementType::bfloat16) {
    launch_kernel("peer_all_reduce", peer_all_reduce<__nv_bfloat16>, shape, stream, params);
  } else {
    launch_kernel("peer_all_reduce", peer_all_reduce<__half>, shape, stream, params);
  }
}

}  // namespace specthink
