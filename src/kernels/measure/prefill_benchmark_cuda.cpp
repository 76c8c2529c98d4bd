#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDAGuard.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "kernels/measure/graph_timer.h"
#include "specthink/kernels/kernel_benchmark.h"
#include "specthink/kernels/limits.h"
#include "specthink/kernels/prefill_attention.h"
#include "specthink/kernels/prefill_linear.h"
#include "specthink/kernels/prefill_ops.h"

namespace specthink::inline kernels {
namespace {

constexpr std::size_t kLayers = 16;  // caches that the launches take turns over

/// Seconds of a launch, in a graph that goes over all layers.
double seconds_of(PrefillAttention& attention, const at::Tensor& queries, std::int64_t length, at::Tensor& output,
                  cudaStream_t stream) {
  const at::Tensor pages = at::arange((length + kPageTokens - 1) / kPageTokens, queries.options().dtype(at::kInt));
  const Graph graph(stream, [&] {
    for (std::size_t layer = 0; layer < kLayers; ++layer)
      attention.run(layer, queries, {pages, length, length - queries.size(0)}, output);
  });
  return seconds_of_graph(graph, stream) / kLayers;
}

at::TensorOptions elements(ElementType type, c10::Device device) {
  return at::TensorOptions(device).dtype(type == ElementType::bfloat16 ? at::kBFloat16 : at::kHalf);
}

/// Copies of a matrix that the launches take turns over.
struct PrefillMatrix {
  std::vector<WeightMatrix> weights;
  std::vector<std::unique_ptr<PrefillLinear>> linears;
};

WeightMatrix random_matrix(const MatrixShape& size, bool float8, const at::TensorOptions& options) {
  constexpr std::int64_t kBlock = 128;
  const auto blocks = [](std::int64_t count) { return (count + kBlock - 1) / kBlock; };
  const at::Tensor values = at::randn({size.rows, size.columns}, options);
  if (!float8) return {values, values.scalar_type() == at::kBFloat16 ? WeightType::bfloat16 : WeightType::float16};
  return {.data = values.to(at::kFloat8_e4m3fn),
          .type = WeightType::float8,
          .scales = at::ones({blocks(size.rows), blocks(size.columns)}, options.dtype(at::kFloat)),
          .scale_rows = kBlock,
          .scale_columns = kBlock};
}

PrefillMatrix random_matrices(const ModelDescription& part, DecodeKernel kernel, const at::TensorOptions& options) {
  const MatrixShape size = matrix_shape(part, kernel);
  const auto kind = kernel == DecodeKernel::gate_up ? PrefillLinear::Kind::gated : PrefillLinear::Kind::plain;
  PrefillMatrix matrix;
  const bool float8 = is_float8(part, kernel);
  const std::int64_t copies = rotated_copies(size.elements() * (float8 ? 1 : 2));
  for (std::int64_t copy = 0; copy < copies; ++copy) {
    const WeightMatrix weights = random_matrix(size, float8, options);
    matrix.linears.push_back(PrefillLinear::create(weights, kind, options.dtype().toScalarType()));
    matrix.weights.push_back(weights);
    if (!matrix.linears.back()) return {};
  }
  return matrix;
}

PrefillLinearTime time_linear(const PrefillLinearCase& which, const PrefillMatrix& matrix,
                              const at::TensorOptions& options, cudaStream_t stream) {
  const at::Tensor& first = matrix.weights.front().data;
  const auto copies = static_cast<double>(matrix.weights.size());
  const bool gated = which.kernel == DecodeKernel::gate_up;
  const at::Tensor x = at::randn({which.rows, first.size(1)}, options);
  at::Tensor both = at::empty({which.rows, first.size(0)}, options);
  at::Tensor y = gated ? at::empty({which.rows, first.size(0) / 2}, options) : both;
  at::Tensor elements = first.to(options.dtype());  // of 8-bit weights: what the library takes
  at::mm_out(both, x, elements.t());                // it sets itself up, which a capture does not allow
  const Graph own(stream, [&] {
    for (const auto& linear : matrix.linears) linear->run(x, {}, y);
  });
  const Graph library(stream, [&] {
    for (const WeightMatrix& weights : matrix.weights) {
      if (weights.type == WeightType::float8) prefill_ops::dequantize(weights, elements);
      at::mm_out(both, x, (weights.type == WeightType::float8 ? elements : weights.data).t());
      if (gated) prefill_ops::silu_mul(both, y);
    }
  });
  return {which, seconds_of_graph(own, stream) / copies, seconds_of_graph(library, stream) / copies};
}

}  // namespace

std::vector<PrefillLinearTime> time_prefill_linears(const ModelDescription& part, ElementType type,
                                                    c10::Device device) {
  const c10::InferenceMode no_gradients;
  const c10::cuda::CUDAStreamGuard guard(c10::cuda::getStreamFromPool(false, device.index()));
  std::vector<PrefillLinearTime> times;
  PrefillMatrix matrix;
  std::optional<DecodeKernel> kernel;  // of the matrix
  for (const PrefillLinearCase& which : prefill_linear_cases(part)) {
    if (kernel != which.kernel) {
      matrix = {};  // its memory first
      matrix = random_matrices(part, which.kernel, elements(type, device));
      kernel = which.kernel;
    }
    if (matrix.linears.empty()) continue;
    times.push_back(
        time_linear(which, matrix, elements(type, device), c10::cuda::getCurrentCUDAStream(device.index())));
  }
  return times;
}

std::vector<PrefillAttentionTime> time_prefill_attention(const ModelDescription& part, ElementType type,
                                                         c10::Device device) {
  const c10::InferenceMode no_gradients;
  const c10::cuda::CUDAStreamGuard guard(c10::cuda::getStreamFromPool(false, device.index()));
  const at::TensorOptions options = elements(type, device);
  std::int64_t longest = 0;
  for (const PrefillAttentionCase& which : prefill_attention_cases())
    longest = std::max(longest, which.rows + which.cached);
  longest = (longest + kPageTokens - 1) / kPageTokens * kPageTokens;
  std::vector<PrefillAttention::Layer> layers;
  for (std::size_t layer = 0; layer < kLayers; ++layer) {
    layers.push_back({at::randn({longest, part.num_kv_heads, part.head_dim}, options),
                      at::randn({longest, part.num_kv_heads, part.head_dim}, options)});
  }
  const std::unique_ptr<PrefillAttention> attention = PrefillAttention::create(layers, part.attention_scale());
  std::vector<PrefillAttentionTime> times;
  if (!attention) return times;
  for (const PrefillAttentionCase& which : prefill_attention_cases()) {
    const at::Tensor queries = at::randn({which.rows, part.num_heads, part.head_dim}, options);
    at::Tensor output = at::empty_like(queries);
    times.push_back({which, seconds_of(*attention, queries, which.rows + which.cached, output,
                                       c10::cuda::getCurrentCUDAStream(device.index()))});
  }
  return times;
}

}  // namespace specthink::inline kernels
