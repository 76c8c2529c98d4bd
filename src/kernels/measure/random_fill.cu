#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "kernels/device/launch.h"
#include "kernels/measure/random_fill_device.h"
#include "kernels/measure/random_value.h"

namespace specthink::inline kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kBlocks = 132 * 8;

__device__ inline void store(float* to, float value) { *to = value; }
__device__ inline void store(__nv_bfloat16* to, float value) { *to = __float2bfloat16_rn(value); }
__device__ inline void store(__half* to, float value) { *to = __float2half_rn(value); }

template <typename T>
__global__ void fill(T* data, std::int64_t elements, std::int64_t columns, MatrixSlice slice, std::uint64_t key,
                     float amplitude) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < elements; i += stride) {
    const std::int64_t position = (slice.first_row + i / columns) * slice.columns + slice.first_column + i % columns;
    store(data + i, amplitude * random_value(key, static_cast<std::uint64_t>(position)));
  }
}

template <typename T>
void launch(at::Tensor& tensor, const MatrixSlice& slice, std::uint64_t key, float amplitude) {
  fill<<<kBlocks, kThreads, 0, c10::cuda::getCurrentCUDAStream()>>>(
      static_cast<T*>(tensor.mutable_data_ptr()), tensor.numel(), tensor.size(1), slice, key, amplitude);
}

}  // namespace

void random_fill_on_device(at::Tensor& tensor, const MatrixSlice& slice, std::uint64_t key, float amplitude) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      launch<float>(tensor, slice, key, amplitude);
      break;
    case at::kBFloat16:
      launch<__nv_bfloat16>(tensor, slice, key, amplitude);
      break;
    case at::kHalf:
      launch<__half>(tensor, slice, key, amplitude);
      break;
    default:
      no_kernel_for("random_fill", tensor.scalar_type());
  }
  check_launch("random_fill");
}

}  // namespace specthink::inline kernels
