#include <ATen/ATen.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "kernels/attention_merge_device.h"
#include "kernels/launch.h"
#include "kernels/vector_access.cuh"

namespace specthink {
namespace {

constexpr int kThreads = 256;

template <typename T>
struct Parts {
  const T* output;       // [parts, rows, heads, head_dim]
  const float* log_sum;  // [parts, heads, rows]
  int count;

  __device__ float log_sum_at(int part, int row, int head, int rows, int heads) const {
    return log_sum[(static_cast<std::int64_t>(part) * heads + head) * rows + row];
  }
};

/// A thread an element of the result, in the order of memory.
template <typename T>
__global__ void merge(Parts<T> a, Parts<T> b, T* result, int rows, int heads, int head_dim) {
  const std::int64_t elements = static_cast<std::int64_t>(rows) * heads * head_dim;
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= elements) return;
  const int head = static_cast<int>(i / head_dim % heads);
  const int row = static_cast<int>(i / head_dim / heads);
  float highest = -INFINITY;
  for (int part = 0; part < a.count; ++part) highest = fmaxf(highest, a.log_sum_at(part, row, head, rows, heads));
  for (int part = 0; part < b.count; ++part) highest = fmaxf(highest, b.log_sum_at(part, row, head, rows, heads));
  float sum = 0;
  float value = 0;
  const auto add = [&](const Parts<T>& parts) {
    for (int part = 0; part < parts.count; ++part) {
      const float weight = expf(parts.log_sum_at(part, row, head, rows, heads) - highest);
      sum += weight;
      value += weight * to_float(parts.output[part * elements + i]);
    }
  };
  add(a);
  add(b);
  result[i] = from_float<T>(value / sum);
}

template <typename T>
Parts<T> parts_of(const AttentionParts& parts) {
  return {static_cast<const T*>(parts.output.const_data_ptr()), parts.log_sum.const_data_ptr<float>(),
          static_cast<int>(parts.output.size(0))};
}

template <typename T>
void launch(const AttentionParts& a, const AttentionParts& b, at::Tensor& output) {
  const auto blocks = static_cast<unsigned>((output.numel() + kThreads - 1) / kThreads);
  merge<T><<<blocks, kThreads, 0, c10::cuda::getCurrentCUDAStream()>>>(
      parts_of<T>(a), parts_of<T>(b), static_cast<T*>(output.mutable_data_ptr()), static_cast<int>(output.size(0)),
      static_cast<int>(output.size(1)), static_cast<int>(output.size(2)));
}

}  // namespace

void merge_attention_on_device(const AttentionParts& a, const AttentionParts& b, at::Tensor& output) {
  switch (output.scalar_type()) {
    case at::kBFloat16:
      launch<__nv_bfloat16>(a, b, output);
      break;
    case at::kHalf:
      launch<__half>(a, b, output);
      break;
    default:
      no_kernel_for("merge_attention", output.scalar_type());
  }
  check_launch("merge_attention");
}

}  // namespace specthink
