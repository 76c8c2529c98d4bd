#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#include "kernels/device/launch.h"
#include "kernels/device/weight_matrix.h"
#include "kernels/prefill/float8_values.cuh"
#include "kernels/prefill/ops_device.h"

namespace specthink::inline kernels::prefill_ops {
namespace {

constexpr int kThreads = 256;
constexpr int kWeightsOfThread = 16;  // next to each other, of one block of the factors

struct DequantizeOperands {
  const uint4* data;
  WeightScales scales;
  uint4* output;
  std::int64_t groups;  // of kWeightsOfThread weights
  int groups_of_row;
};

/// Reads a byte a weight, writes two.
template <typename T>
__global__ void __launch_bounds__(kThreads) dequantize_kernel(const DequantizeOperands p) {
  const std::int64_t group = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (group >= p.groups) return;
  const auto row = static_cast<int>(group / p.groups_of_row);
  const auto column = static_cast<int>(group % p.groups_of_row) * kWeightsOfThread;
  const float factor =
      __ldg(p.scales.data + static_cast<std::int64_t>(row >> p.scales.row_shift) * p.scales.row_stride +
            (column >> p.scales.column_shift));
  const uint4 weights = __ldcs(p.data + group);
  dequantize_sixteen<T>(weights, factor, p.output[2 * group], p.output[2 * group + 1]);
}

}  // namespace

void dequantize_on_device(const WeightMatrix& weights, at::Tensor& output) {
  const std::int64_t columns = weights.data.size(1);
  const DequantizeOperands operands{.data = static_cast<const uint4*>(weights.data.const_data_ptr()),
                                    .scales = scales_of(weights),
                                    .output = static_cast<uint4*>(output.mutable_data_ptr()),
                                    .groups = weights.data.numel() / kWeightsOfThread,
                                    .groups_of_row = static_cast<int>(columns / kWeightsOfThread)};
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
