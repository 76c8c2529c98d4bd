#include "kernels/device/block_sum.cuh"
#include "kernels/device/hopper.cuh"
#include "kernels/device/hopper.h"
#include "kernels/device/kernel_launch.cuh"
#include "kernels/device/ptx.cuh"
#include "kernels/device/vector_access.cuh"
#include "kernels/exchange/exchange.cuh"
#include "kernels/exchange/peer_sum_device.h"

namespace specthink::inline kernels {
namespace {

template <typename T>
using Vector = Elements<T, kVectorWidth>;

template <typename T>
__device__ Vector<T> load_peer(const T* from) {
  Vector<T> vector;
  const uint4 words = ptx::load_system_16(from);
  memcpy(vector.values, &words, sizeof(words));
  return vector;
}

/// One block a row; each thread has kVectors of its 16-byte vectors.
template <typename T, int kVectors>
__global__ void __launch_bounds__(kMaxBlockThreads) peer_add_rms_norm(const __grid_constant__ PeerSumParams p) {
  const int thread = static_cast<int>(threadIdx.x);
  const int threads = static_cast<int>(blockDim.x);
  const std::int64_t start = static_cast<std::int64_t>(blockIdx.x) * p.hidden;
  const auto each_vector = [&](auto&& body) {
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
      const int at = (v * threads + thread) * kVectorWidth;
      if (at < p.hidden) body(v, at);
    }
  };

#if SPECTHINK_HOPPER_CODE
  ptx::wait_for_predecessors();
  ptx::launch_dependents();
#endif
  // The kernel before this one has written this rank's partial sums.
  if (blockIdx.x == 0 && thread < p.ranks && thread != p.rank) {
    ptx::store_release_system(p.signal[thread], p.sequence);
  }

  Vector<T> own[kVectors];
  Vector<T> residual[kVectors];
  each_vector([&](int v, int at) {
    own[v] = Vector<T>::load(static_cast<const T*>(p.partials[p.rank]) + start + at);
    residual[v] = p.adds ? Vector<T>::load(static_cast<const T*>(p.residual) + start + at) : Vector<T>{};
  });

  if (thread < p.ranks && thread != p.rank) {
    SpinClock clock(p.limit);
    // Numbers wrap around: later ones are less than half the range ahead.
    while (static_cast<std::int32_t>(ptx::load_acquire_system(p.arrived + thread * kSignalStride) - p.sequence) < 0) {
      if (!clock.expired()) continue;
      *static_cast<volatile std::uint32_t*>(p.gave_up) = 1;
      break;
    }
  }
  __syncthreads();

  Vector<T> others[kMaxPeerSumRanks][kVectors];
#pragma unroll
  for (int rank = 0; rank < kMaxPeerSumRanks; ++rank) {
    if (rank >= p.ranks || rank == p.rank) continue;
    each_vector(
        [&](int v, int at) { others[rank][v] = load_peer(static_cast<const T*>(p.partials[rank]) + start + at); });
  }
  float squares = 0;
  each_vector([&](int v, int at) {
    float sum[kVectorWidth] = {};
#pragma unroll
    for (int rank = 0; rank < kMaxPeerSumRanks; ++rank) {
      if (rank >= p.ranks) continue;
      const Vector<T>& part = rank == p.rank ? own[v] : others[rank][v];
      for (int k = 0; k < kVectorWidth; ++k) sum[k] += part[k];
    }
    Vector<T> shift;
    if (p.bias != nullptr) shift = Vector<T>::load(static_cast<const T*>(p.bias) + at);
    for (int k = 0; k < kVectorWidth; ++k) {
      float change = rounded<T>(sum[k]);
      if (p.bias != nullptr) change = rounded<T>(change + shift[k]);
      residual[v].set(k, residual[v][k] + change);
      squares += residual[v][k] * residual[v][k];
    }
    residual[v].store(static_cast<T*>(p.residual) + start + at);
  });
  const float scale = rsqrtf(block_sum(squares) / static_cast<float>(p.hidden) + p.eps);
  each_vector([&](int v, int at) {
    const Vector<T> factors = Vector<T>::load(static_cast<const T*>(p.weight) + at);
    Vector<T> normed;
    for (int k = 0; k < kVectorWidth; ++k) normed.set(k, factors[k] * (residual[v][k] * scale));
    normed.store(static_cast<T*>(p.output) + start + at);
  });
}

int current_device() {
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess) check_launch("peer_add_rms_norm");
  return device;
}

template <typename T>
void launch(const PeerSumParams& params, cudaStream_t stream) {
  const int vectors = params.hidden / kVectorWidth;
  const int each = vectors <= kMaxBlockThreads ? 1 : vectors <= 2 * kMaxBlockThreads ? 2 : 4;
  const int threads = ((vectors + each - 1) / each + 31) / 32 * 32;
  static const bool dependent = has_hopper_code(current_device());
  const LaunchShape shape{dim3(static_cast<unsigned>(params.rows)), threads, 0, 1, dependent};
  const auto kernel = each == 1   ? peer_add_rms_norm<T, 1>
                      : each == 2 ? peer_add_rms_norm<T, 2>
                                  : peer_add_rms_norm<T, 4>;
  launch_kernel("peer_add_rms_norm", kernel, shape, stream, params);
}

}  // namespace

void launch_peer_sum(const PeerSumParams& params, ElementType type, cudaStream_t stream) {
  if (params.hidden % kVectorWidth != 0 || params.hidden > kMaxPeerSumHidden || params.rows < 1 || params.ranks < 2 ||
      params.ranks > kMaxPeerSumRanks) {
    fail_launch("peer_add_rms_norm", "rows are whole vectors, ranks 2 to 4");
  }
  if (type == ElementType::bfloat16) {
    launch<__nv_bfloat16>(params, stream);
  } else {
    launch<__half>(params, stream);
  }
}

}  // namespace specthink::inline kernels
