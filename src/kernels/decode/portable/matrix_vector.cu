#include "kernels/decode/portable/matrix_vector.h"
#include "kernels/device/kernel_launch.cuh"
#include "kernels/device/ptx.cuh"
#include "kernels/exchange/exchange.cuh"

namespace specthink::inline kernels {
namespace {

constexpr int kVectorWarps = 8;
constexpr int kVectorThreads = 32 * kVectorWarps;
constexpr int kUnrolled = 4;              // 16-byte loads of a row of the weights under way
constexpr int kElementsOfVectorLoad = 8;  // of 2 bytes

template <typename T>
__device__ __forceinline__ void add_products(float& sum, const uint4& weights, const uint4& x) {
  const std::uint32_t of_weights[4] = {weights.x, weights.y, weights.z, weights.w};
  const std::uint32_t of_x[4] = {x.x, x.y, x.z, x.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 a = ptx::unpack<T>(of_weights[i]);
    const float2 b = ptx::unpack<T>(of_x[i]);
    sum = fmaf(a.x, b.x, fmaf(a.y, b.y, sum));
  }
}

__device__ __forceinline__ float sum_over_warp(float value) {
#pragma unroll
  for (int offset = 16; offset; offset >>= 1) value += __shfl_xor_sync(~0u, value, offset);
  return value;
}

__device__ __forceinline__ float gated(float gate, float up) { return gate / (1 + __expf(-gate)) * up; }

/// A warp has two rows of the weights: neighbours, or gate and up of an output.
template <typename T, LinearOutput kOutput>
__global__ void __launch_bounds__(kVectorThreads) matrix_vector(const __grid_constant__ MatrixVectorParams p) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const std::int64_t pair = static_cast<std::int64_t>(blockIdx.x) * kVectorWarps + threadIdx.x / 32;
  const bool is_gated = kOutput == LinearOutput::swiglu;
  const std::int64_t first = is_gated ? pair : 2 * pair;
  if (first >= p.rows) return;
  const bool has_second = is_gated || first + 1 < p.rows;
  const std::int64_t second = is_gated ? first + p.rows : has_second ? first + 1 : first;
  const std::int64_t loads = p.columns / kElementsOfVectorLoad;
  const auto* const weights = static_cast<const uint4*>(p.weights);
  const uint4* const of_first = weights + first * loads;
  const uint4* const of_second = weights + second * loads;
  const auto* const x = static_cast<const uint4*>(p.x);
  float sums[2] = {};
#pragma unroll kUnrolled
  for (std::int64_t i = lane; i < loads; i += 32) {
    const uint4 a = __ldcs(of_first + i);
    const uint4 b = __ldcs(of_second + i);
    const uint4 part = __ldg(x + i);
    add_products<T>(sums[0], a, part);
    add_products<T>(sums[1], b, part);
  }
  sums[0] = sum_over_warp(sums[0]);
  sums[1] = sum_over_warp(sums[1]);
  if constexpr (kOutput == LinearOutput::swiglu) {
    if (lane == 0) static_cast<T*>(p.y)[first] = ptx::from_float<T>(gated(sums[0], sums[1]));
  } else {
    if (lane > 1 || (lane == 1 && !has_second)) return;
    const std::int64_t row = first + lane;
    float value = sums[lane];
    if constexpr (kOutput == LinearOutput::values) {
      static_cast<float*>(p.y)[row] = value;
    } else {
      if (p.partials.residual) value += p.partials.residual[row];
      if (p.partials.bias) value += ptx::to_float(static_cast<const T*>(p.partials.bias)[row]);
      send_partial(p.partials.sent, row, value);
    }
  }
}

template <typename T>
__global__ void __launch_bounds__(kVectorThreads)
    send_sums(const float4* sums, const __grid_constant__ PartialsOutput partials, std::int64_t float4s,
              std::int64_t float4s_of_row) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kVectorThreads + threadIdx.x;
  if (i >= float4s) return;
  float4 sum = sums[i];
  if (partials.residual) add(sum, reinterpret_cast<const float4*>(partials.residual)[i]);
  if (partials.bias) {
    const uint2 bias = static_cast<const uint2*>(partials.bias)[i % float4s_of_row];
    const float2 low = ptx::unpack<T>(bias.x);
    const float2 high = ptx::unpack<T>(bias.y);
    add(sum, {low.x, low.y, high.x, high.y});
  }
  const uint4 bits = {__float_as_uint(sum.x), __float_as_uint(sum.y), __float_as_uint(sum.z), __float_as_uint(sum.w)};
#pragma unroll
  for (int rank = 0; rank < kMaxExchangeRanks; ++rank) {
    if (rank < partials.sent.ranks) ptx::store_system(reinterpret_cast<uint4*>(partials.sent.to[rank]) + i, bits);
  }
}

template <typename T>
__global__ void __launch_bounds__(kVectorThreads)
    gated_sums(const float* gate_up, T* y, std::int64_t elements, std::int64_t columns) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kVectorThreads + threadIdx.x;
  if (i >= elements) return;
  const float* const gate = gate_up + i / columns * 2 * columns + i % columns;
  y[i] = ptx::from_float<T>(gated(gate[0], gate[columns]));
}

LaunchShape shape_of(std::int64_t items, int of_block) {
  return {dim3(static_cast<unsigned>((items + of_block - 1) / of_block)), kVectorThreads};
}

template <typename T>
void launch_output(const MatrixVectorParams& params, LinearOutput output, cudaStream_t stream) {
  const LaunchShape pairs = shape_of((params.rows + 1) / 2, kVectorWarps);
  switch (output) {
    case LinearOutput::values:
      return launch_kernel("matrix_vector", matrix_vector<T, LinearOutput::values>, pairs, stream, params);
    case LinearOutput::swiglu:
      return launch_kernel("matrix_vector", matrix_vector<T, LinearOutput::swiglu>, shape_of(params.rows, kVectorWarps),
                           stream, params);
    case LinearOutput::partials:
      return launch_kernel("matrix_vector", matrix_vector<T, LinearOutput::partials>, pairs, stream, params);
  }
}

}  // namespace

void launch_matrix_vector(const MatrixVectorParams& params, ElementType type, LinearOutput output,
                          cudaStream_t stream) {
  if (params.columns % kElementsOfVectorLoad != 0) fail_launch("matrix_vector", "columns must be a multiple of 8");
  if (type == ElementType::bfloat16) {
    launch_output<__nv_bfloat16>(params, output, stream);
  } else {
    launch_output<__half>(params, output, stream);
  }
}

void launch_send_sums(const float* sums, const PartialsOutput& partials, int rows, std::int64_t columns,
                      ElementType type, cudaStream_t stream) {
  const std::int64_t float4s = rows * columns / 4;
  const auto* const from = reinterpret_cast<const float4*>(sums);
  const auto launch = [&](auto kernel) {
    launch_kernel("send_sums", kernel, shape_of(float4s, kVectorThreads), stream, from, partials, float4s, columns / 4);
  };
  type == ElementType::bfloat16 ? launch(send_sums<__nv_bfloat16>) : launch(send_sums<__half>);
}

void launch_gated_sums(const float* gate_up, void* y, int rows, std::int64_t columns, ElementType type,
                       cudaStream_t stream) {
  const auto launch = [&]<typename T>(T) {
    launch_kernel("gated_sums", gated_sums<T>, shape_of(rows * columns, kVectorThreads), stream, gate_up,
                  static_cast<T*>(y), rows * columns, columns);
  };
  type == ElementType::bfloat16 ? launch(__nv_bfloat16{}) : launch(__half{});
}

}  // namespace specthink::inline kernels
