#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include "kernels/device/block_sum.cuh"
#include "kernels/device/hopper.cuh"
#include "kernels/device/hopper.h"
#include "kernels/device/kernel_launch.cuh"
#include "kernels/device/ptx.cuh"
#include "kernels/device/vector_access.cuh"
#include "kernels/prefill/ops_device.h"

namespace specthink::prefill_ops {
namespace {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int kThreads = 256;  // of a block, where nothing else asks for another number

template <typename T>
struct EmbeddingOperands {
  const T* table;  // [table_rows, hidden]
  std::int64_t table_rows;
  std::int64_t first_id;
  T* output;  // [rows, hidden]
  int hidden;
};

/// The block's row of the output.
template <typename T, int width>
__device__ void embed_row(const EmbeddingOperands<T>& operands, std::int64_t id) {
  const std::int64_t entry = id - operands.first_id;
  const bool here = entry >= 0 && entry < operands.table_rows;
  const T* from = operands.table + entry * operands.hidden;
  T* to = operands.output + static_cast<std::int64_t>(blockIdx.x) * operands.hidden;
  for (int i = threadIdx.x * width; i < operands.hidden; i += blockDim.x * width) {
    Elements<T, width> values{};
    if (here) values = Elements<T, width>::load(from + i);
    values.store(to + i);
  }
}

/// One block a row.
template <typename T, int width>
__global__ void embed_rows_kernel(const std::int64_t* __restrict__ ids, const EmbeddingOperands<T> operands) {
  embed_row<T, width>(operands, ids[blockIdx.x]);
}

struct NewRowOperands {
  TokenId ids[kMaxNewRows];
  std::int64_t first_position;
  std::int64_t first_cache_row;
  std::int64_t* position;   // [rows]
  std::int64_t* cache_row;  // [rows]
};

/// One block a row.
template <typename T, int width>
__global__ void embed_new_rows_kernel(const __grid_constant__ NewRowOperands rows,
                                      const EmbeddingOperands<T> operands) {
  const std::int64_t row = blockIdx.x;
  if (threadIdx.x == 0) {
    rows.position[row] = rows.first_position + row;
    rows.cache_row[row] = rows.first_cache_row + row;
  }
  embed_row<T, width>(operands, rows.ids[row]);
}

/// One block a row. `delta` and `bias` may be null; `residual` is written only with `delta`.
template <typename T, int width>
__global__ void add_rms_norm_kernel(T* residual, const T* __restrict__ delta, const T* __restrict__ bias,
                                    const T* __restrict__ weight, T* __restrict__ output, int hidden, float eps) {
  const std::int64_t start = static_cast<std::int64_t>(blockIdx.x) * hidden;
  float sum = 0;
  for (int i = threadIdx.x * width; i < hidden; i += blockDim.x * width) {
    Elements<T, width> values = Elements<T, width>::load(residual + start + i);
    if (delta != nullptr) {
      Elements<T, width> change = Elements<T, width>::load(delta + start + i);
      if (bias != nullptr) {
        const Elements<T, width> shift = Elements<T, width>::load(bias + i);
        for (int k = 0; k < width; ++k) change.set(k, change[k] + shift[k]);
      }
      for (int k = 0; k < width; ++k) values.set(k, values[k] + change[k]);
      values.store(residual + start + i);
    }
    for (int k = 0; k < width; ++k) sum += values[k] * values[k];
  }
  const float scale = rsqrtf(block_sum(sum) / static_cast<float>(hidden) + eps);
  for (int i = threadIdx.x * width; i < hidden; i += blockDim.x * width) {
    // What this thread stored itself above, in cache.
    Elements<T, width> values = Elements<T, width>::load(residual + start + i);
    const Elements<T, width> factors = Elements<T, width>::load(weight + i);
    for (int k = 0; k < width; ++k) values.set(k, factors[k] * (values[k] * scale));
    values.store(output + start + i);
  }
}

template <typename T>
struct QkvOperands {
  const T* qkv;                   // [rows, heads + 2·kv_heads, head_dim]
  const T* qk_norm;               // [heads + kv_heads, head_dim] or null
  const T* cos;                   // [positions, head_dim]
  const T* sin;                   // [positions, head_dim], negated in the first half
  const std::int64_t* position;   // [rows]
  const std::int64_t* cache_row;  // [rows]
  T* queries;                     // [rows, heads, head_dim]
  T* keys;                        // [cache rows, kv_heads, head_dim]
  T* values;                      // [cache rows, kv_heads, head_dim]
  int rows;
  int heads;
  int kv_heads;
  int head_dim;
  float eps;
};

/// `lanes` (a power of two, at most a warp) consecutive threads handle one head of one row: each takes elements of the
/// first half and the elements that they are rotated with, half a head further.
template <typename T, int width>
__global__ void qk_norm_rope_store_kernel(const QkvOperands<T> operands, int lanes) {
  using Part = Elements<T, width>;
  const int head_dim = operands.head_dim;
  const int half = head_dim / 2;
  const int all_heads = operands.heads + 2 * operands.kv_heads;
  const int thread = blockIdx.x * blockDim.x + threadIdx.x;
  const int item = thread / lanes;
  const int first = thread % lanes * width;
  const int step = lanes * width;
  const bool active = item < operands.rows * all_heads;
  const T* from = operands.qkv + static_cast<std::int64_t>(item) * head_dim;
#if SPECTHINK_HOPPER_CODE
  ptx::launch_dependents();
  ptx::wait_for_predecessors();
#endif

  float scale = 1;
  if (operands.qk_norm != nullptr) {  // the same for all threads: every lane takes part in the shuffles
    float sum = 0;
    if (active) {
      for (int i = first; i < half; i += step) {
        const Part low = Part::load(from + i);
        const Part high = Part::load(from + half + i);
        for (int k = 0; k < width; ++k) sum += low[k] * low[k] + high[k] * high[k];
      }
    }
    for (int offset = lanes / 2; offset > 0; offset /= 2) sum += __shfl_xor_sync(kAllLanes, sum, offset);
    scale = rsqrtf(sum / static_cast<float>(head_dim) + operands.eps);
  }
  if (!active) return;

  const std::int64_t row = item / all_heads;
  const int head = item % all_heads;
  const int first_key = operands.heads;
  const int first_value = operands.heads + operands.kv_heads;
  if (head >= first_value) {
    T* to = operands.values + (operands.cache_row[row] * operands.kv_heads + (head - first_value)) * head_dim;
    for (int i = first; i < half; i += step) {
      Part::load(from + i).store(to + i);
      Part::load(from + half + i).store(to + half + i);
    }
    return;
  }

  T* to = head < first_key
              ? operands.queries + (row * operands.heads + head) * head_dim
              : operands.keys + (operands.cache_row[row] * operands.kv_heads + (head - first_key)) * head_dim;
  const T* cos = operands.cos + operands.position[row] * head_dim;
  const T* sin = operands.sin + operands.position[row] * head_dim;
  for (int i = first; i < half; i += step) {
    Part low = Part::load(from + i);
    Part high = Part::load(from + half + i);
    if (operands.qk_norm != nullptr) {
      const T* factors = operands.qk_norm + head * head_dim;
      const Part low_factor = Part::load(factors + i);
      const Part high_factor = Part::load(factors + half + i);
      for (int k = 0; k < width; ++k) {
        low.set(k, rounded<T>(low[k] * scale) * low_factor[k]);
        high.set(k, rounded<T>(high[k] * scale) * high_factor[k]);
      }
    }
    const Part low_cos = Part::load(cos + i);
    const Part high_cos = Part::load(cos + half + i);
    const Part low_sin = Part::load(sin + i);
    const Part high_sin = Part::load(sin + half + i);
    Part low_turned;
    Part high_turned;
    for (int k = 0; k < width; ++k) {
      low_turned.set(k, rounded<T>(low[k] * low_cos[k]) + high[k] * low_sin[k]);
      high_turned.set(k, rounded<T>(high[k] * high_cos[k]) + low[k] * high_sin[k]);
    }
    low_turned.store(to + i);
    high_turned.store(to + half + i);
  }
}

/// Blocks (row, part of its columns).
template <typename T, int width>
__global__ void silu_mul_kernel(const T* __restrict__ gate_up, T* __restrict__ output, int columns) {
  const std::int64_t row = blockIdx.x;
  const int i = (blockIdx.y * blockDim.x + threadIdx.x) * width;
  if (i >= columns) return;
  const Elements<T, width> gate = Elements<T, width>::load(gate_up + 2 * row * columns + i);
  const Elements<T, width> up = Elements<T, width>::load(gate_up + (2 * row + 1) * columns + i);
  Elements<T, width> product;
  for (int k = 0; k < width; ++k) {
    product.set(k, rounded<T>(gate[k] / (1.0f + expf(-gate[k]))) * up[k]);
  }
  product.store(output + row * columns + i);
}

// --- Launches
// -----------------------------------------------------------------------------------------------------------

template <typename T>
const T* data(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<const T*>(tensor.const_data_ptr()) : nullptr;
}

template <typename T>
T* mutable_data(const at::Tensor& tensor) {
  return static_cast<T*>(tensor.mutable_data_ptr());
}

/// True when rows of `elements` elements can be read and written in 16-byte accesses.
bool in_vectors(std::int64_t elements, std::initializer_list<const at::Tensor*> operands) {
  return elements % kVectorWidth == 0 && std::all_of(operands.begin(), operands.end(), [](const at::Tensor* operand) {
           return !operand->defined() || reinterpret_cast<std::uintptr_t>(operand->const_data_ptr()) % 16 == 0;
         });
}

/// Whole warps that cover a row, each thread `width` elements at a time.
int threads_for_row(std::int64_t elements, int width) {
  const std::int64_t wanted = (elements + width - 1) / width;
  return static_cast<int>(std::min<std::int64_t>((wanted + kWarp - 1) / kWarp * kWarp, kMaxBlockThreads));
}

/// Calls `launch` with an element of the tensor's type and the width of an access as a constant.
template <typename Launch>
void dispatch(const char* kernel, at::ScalarType type, bool vectors, Launch&& launch) {
  using Vector = std::integral_constant<int, kVectorWidth>;
  using Single = std::integral_constant<int, 1>;
  if (type == at::kBFloat16) {
    vectors ? launch(__nv_bfloat16{}, Vector{}) : launch(__nv_bfloat16{}, Single{});
  } else if (type == at::kHalf) {
    vectors ? launch(__half{}, Vector{}) : launch(__half{}, Single{});
  } else {
    no_kernel_for(kernel, type);
  }
  check_launch(kernel);
}

}  // namespace

void embed_rows_on_device(const at::Tensor& ids, const at::Tensor& table, std::int64_t first_id, at::Tensor& output) {
  const auto rows = static_cast<unsigned>(output.size(0));
  const auto hidden = static_cast<int>(output.size(1));
  dispatch("embed_rows", table.scalar_type(), in_vectors(hidden, {&table, &output}), [&](auto element, auto width) {
    using T = decltype(element);
    constexpr int kWidth = decltype(width)::value;
    const EmbeddingOperands<T> operands{data<T>(table), table.size(0), first_id, mutable_data<T>(output), hidden};
    embed_rows_kernel<T, kWidth><<<rows, threads_for_row(hidden, kWidth), 0, c10::cuda::getCurrentCUDAStream()>>>(
        data<std::int64_t>(ids), operands);
  });
}

void embed_new_rows_on_device(const NewRows& rows, const at::Tensor& table, std::int64_t first_id, at::Tensor& output,
                              RowIndices& indices) {
  NewRowOperands of_rows{.ids = {},
                         .first_position = rows.first_position,
                         .first_cache_row = rows.first_cache_row,
                         .position = mutable_data<std::int64_t>(indices.position),
                         .cache_row = mutable_data<std::int64_t>(indices.cache_row)};
  std::copy(rows.ids.begin(), rows.ids.end(), of_rows.ids);
  const auto hidden = static_cast<int>(output.size(1));
  dispatch("embed_new_rows", table.scalar_type(), in_vectors(hidden, {&table, &output}), [&](auto element, auto width) {
    using T = decltype(element);
    constexpr int kWidth = decltype(width)::value;
    const EmbeddingOperands<T> operands{data<T>(table), table.size(0), first_id, mutable_data<T>(output), hidden};
    embed_new_rows_kernel<T, kWidth><<<static_cast<unsigned>(rows.ids.size()), threads_for_row(hidden, kWidth), 0,
                                       c10::cuda::getCurrentCUDAStream()>>>(of_rows, operands);
  });
}

void add_rms_norm_on_device(const at::Tensor& residual, const at::Tensor& delta, const at::Tensor& bias,
                            const at::Tensor& weight, double eps, at::Tensor& output) {
  const auto rows = static_cast<unsigned>(output.size(0));
  const auto hidden = static_cast<int>(output.size(1));
  const bool vectors = in_vectors(hidden, {&residual, &delta, &bias, &weight, &output});
  dispatch("add_rms_norm", output.scalar_type(), vectors, [&](auto element, auto width) {
    using T = decltype(element);
    constexpr int kWidth = decltype(width)::value;
    add_rms_norm_kernel<T, kWidth><<<rows, threads_for_row(hidden, kWidth), 0, c10::cuda::getCurrentCUDAStream()>>>(
        mutable_data<T>(residual), data<T>(delta), data<T>(bias), data<T>(weight), mutable_data<T>(output), hidden,
        static_cast<float>(eps));
  });
}

void qk_norm_rope_store_on_device(const at::Tensor& qkv, const at::Tensor& qk_norm, double eps, const RopeTables& rope,
                                  const RowIndices& indices, at::Tensor& queries, at::Tensor& keys,
                                  at::Tensor& values) {
  const std::int64_t half = queries.size(2) / 2;
  const bool vectors = in_vectors(half, {&qkv, &qk_norm, &rope.cos, &rope.sin, &queries, &keys, &values});
  dispatch("qk_norm_rope_store", qkv.scalar_type(), vectors, [&](auto element, auto width) {
    using T = decltype(element);
    constexpr int kWidth = decltype(width)::value;
    const QkvOperands<T> operands{.qkv = data<T>(qkv),
                                  .qk_norm = data<T>(qk_norm),
                                  .cos = data<T>(rope.cos),
                                  .sin = data<T>(rope.sin),
                                  .position = data<std::int64_t>(indices.position),
                                  .cache_row = data<std::int64_t>(indices.cache_row),
                                  .queries = mutable_data<T>(queries),
                                  .keys = mutable_data<T>(keys),
                                  .values = mutable_data<T>(values),
                                  .rows = static_cast<int>(qkv.size(0)),
                                  .heads = static_cast<int>(queries.size(1)),
                                  .kv_heads = static_cast<int>(keys.size(1)),
                                  .head_dim = static_cast<int>(queries.size(2)),
                                  .eps = static_cast<float>(eps)};
    int lanes = 1;
    while (lanes < kWarp && lanes * kWidth < half) lanes *= 2;
    // At most one thread an element, so that their number fits an int as the elements' does.
    const int threads = operands.rows * (operands.heads + 2 * operands.kv_heads) * lanes;
    const int blocks = (threads - 1) / kThreads + 1;
    static const bool dependent = has_hopper_code(qkv.get_device());
    const LaunchShape shape{dim3(static_cast<unsigned>(blocks)), kThreads, 0, 1, dependent};
    launch_kernel("qk_norm_rope_store", qk_norm_rope_store_kernel<T, kWidth>, shape,
                  c10::cuda::getCurrentCUDAStream().stream(), operands, lanes);
  });
}

void silu_mul_on_device(const at::Tensor& gate_up, at::Tensor& output) {
  const auto rows = static_cast<unsigned>(output.size(0));
  const auto columns = static_cast<int>(output.size(1));
  dispatch("silu_mul", output.scalar_type(), in_vectors(columns, {&gate_up, &output}), [&](auto element, auto width) {
    using T = decltype(element);
    constexpr int kWidth = decltype(width)::value;
    const int threads = std::min(threads_for_row(columns, kWidth), kThreads);
    const auto parts = static_cast<unsigned>((columns + threads * kWidth - 1) / (threads * kWidth));
    silu_mul_kernel<T, kWidth><<<dim3(rows, parts), threads, 0, c10::cuda::getCurrentCUDAStream()>>>(
        data<T>(gate_up), mutable_data<T>(output), columns);
  });
}

}  // namespace specthink::prefill_ops
