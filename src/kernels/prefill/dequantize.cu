#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <bit>
#include <cstdint>

#include "kernels/device/launch.h"
#include "kernels/device/ptx.cuh"
#include "kernels/prefill/ops_device.h"

namespace specthink::inline kernels::prefill_ops {
namespace {

constexpr int kThreads = 256;
constexpr int kWeightsOfThread = 16;  // next to each other, of one block of the factors

struct DequantizeOperands {
  const uint4* data;
  const float* scales;
  uint4* output;
  std::int64_t groups;  // of kWeightsOfThread weights
  int groups_of_row;
  int scales_of_row;
  int row_shift;
  int column_shift;
};

/// Two e4m3 as one register of T, times the factor.
template <typename T>
__device__ __forceinline__ std::uint32_t dequantize_pair(std::uint32_t pair, float factor) {
  const __half2_raw halves = __nv_cvt_fp8x2_to_halfraw2(static_cast<__nv_fp8x2_storage_t>(pair & 0xffff), __NV_E4M3);
  const float2 values = __half22float2(__half2(halves));
  return ptx::pack<T>(values.x * factor, values.y * factor);
}

/// Reads a byte a weight, writes two.
template <typename T>
__global__ void __launch_bounds__(kThreads) dequantize_kernel(const DequantizeOperands p) {
  const std::int64_t group = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (group >= p.groups) return;
  const auto row = static_cast<int>(group / p.groups_of_row);
  const auto column = static_cast<int>(group % p.groups_of_row) * kWeightsOfThread;
  const float factor =
      __ldg(p.scales + static_cast<std::int64_t>(row >> p.row_shift) * p.scales_of_row + (column >> p.column_shift));
  const uint4 weights = __ldcs(p.data + group);
  const std::uint32_t words[4] = {weights.x, weights.y, weights.z, weights.w};
  std::uint32_t pairs[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) pairs[i] = dequantize_pair<T>(words[i / 2] >> (i % 2 * 16), factor);
  p.output[2 * group] = {pairs[0], pairs[1], pairs[2], pairs[3]};
  p.output[2 * group + 1] = {pairs[4], pairs[5], pairs[6], pairs[7]};
}

}  // namespace

void dequantize_on_device(const WeightMatrix& weights, at::Tensor& output) {
  const std::int64_t columns = weights.data.size(1);
  const DequantizeOperands operands{
      .data = static_cast<const uint4*>(weights.data.const_data_ptr()),
      .scales = weights.scales.const_data_ptr<float>(),
      .output = static_cast<uint4*>(output.mutable_data_ptr()),
      .groups = weights.data.numel() / kWeightsOfThread,
      .groups_of_row = static_cast<int>(columns / kWeightsOfThread),
      .scales_of_row = static_cast<int>(weights.scales.size(1)),
      .row_shift = std::countr_zero(static_cast<std::uint64_t>(weights.scale_rows)),
      .column_shift = std::countr_zero(static_cast<std::uint64_t>(weights.scale_columns))};
  const auto blocks = static_cast<unsigned>((operands.groups + kThreads - 1) / kThreads);
  const cudaStream_t stream = c10::cuda::getCurrentCUDAStream().stream();
  if (output.scalar_type() == at::kBFloat16) {
    dequantize_kernel<__nv_bfloat16><<<blocks, kThreads, 0, stream>>>(operands);
  } else {
    dequantize_kernel<__half><<<blocks, kThreads, 0, stream>>>(operands);
  }
  check_launch("dequantize");
}

}  // namespace specthink::inline kernels::prefill_ops
