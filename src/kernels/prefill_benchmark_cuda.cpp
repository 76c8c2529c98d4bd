#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDAGuard.h>

#include <algorithm>

#include "kernels/graph_timer.h"
#include "kernels/kernel_benchmark_cuda.h"
#include "specthink/kernels/prefill_attention.h"

namespace specthink {
namespace {

constexpr std::size_t kLayers = 16;  // caches that the launches take turns over

/// Seconds of a launch, in a graph that goes over all layers.
double seconds_of(PrefillAttention& attention, const at::Tensor& queries, std::int64_t length, at::Tensor& output,
                  cudaStream_t stream) {
  const Graph graph(stream, [&] {
    for (std::size_t layer = 0; layer < kLayers; ++layer) attention.run(layer, queries, 0, length, output);
  });
  return seconds_of_graph(graph, stream) / kLayers;
}

}  // namespace

std::vector<PrefillAttentionTime> time_cuda_prefill_attention(const DecodeShape& shape, ElementType type,
                                                              c10::Device device) {
  const c10::InferenceMode no_gradients;
  const c10::cuda::CUDAStreamGuard guard(c10::cuda::getStreamFromPool(false, device.index()));
  const auto options = at::TensorOptions(device).dtype(type == ElementType::bfloat16 ? at::kBFloat16 : at::kHalf);
  std::int64_t longest = 0;
  for (const PrefillAttentionCase& which : prefill_attention_cases())
    longest = std::max(longest, which.rows + which.cached);
  std::vector<PrefillAttention::Layer> layers;
  for (std::size_t layer = 0; layer < kLayers; ++layer) {
    layers.push_back({at::randn({longest, shape.kv_heads, shape.head_dim}, options),
                      at::randn({longest, shape.kv_heads, shape.head_dim}, options)});
  }
  const std::unique_ptr<PrefillAttention> attention = PrefillAttention::create(layers);
  std::vector<PrefillAttentionTime> times;
  if (!attention) return times;
  for (const PrefillAttentionCase& which : prefill_attention_cases()) {
    const at::Tensor queries = at::randn({which.rows, shape.heads, shape.head_dim}, options);
    at::Tensor output = at::empty_like(queries);
    times.push_back({which, seconds_of(*attention, queries, which.rows + which.cached, output,
                                       c10::cuda::getCurrentCUDAStream(device.index()))});
  }
  return times;
}

}  // namespace specthink
