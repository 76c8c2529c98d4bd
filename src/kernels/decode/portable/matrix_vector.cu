#include <algorithm>

#include "kernels/decode/portable/matrix_vector.h"
#include "kernels/device/kernel_launch.cuh"
#include "kernels/device/ptx.cuh"
#include "kernels/exchange/exchange.cuh"

namespace specthink::inline kernels {
namespace {

constexpr int kVectorWarps = 8;
constexpr int kVectorThreads = 32 * kVectorWarps;
constexpr int kElementsOfCopy = 8;                               // 16 bytes
constexpr int kPieceColumns = kVectorThreads * kElementsOfCopy;  // of a row: a copy of each thread
constexpr int kRowsOfBatch = 8;                                  // rows of the weights that go together
constexpr int kGroups = 2;                                       // pieces of a batch's rows that are under way
constexpr int kBlocksOfSm = 2;                                   // at most; three are slower
constexpr int kBatchesOfRound = 8;
constexpr int kRowsOfRound = kBatchesOfRound * kRowsOfBatch;
constexpr int kNormFloat4s = kMaxHiddenSize / (4 * kVectorThreads);  // of a thread

struct VectorMemory {
  uint4 ring[kGroups][kRowsOfBatch][kVectorThreads];  // each thread reads what it has copied itself
  float sums[2][kRowsOfRound][kVectorWarps + 1];      // of the warps; rounds take turns
  float squares[kVectorWarps];
};

__device__ __forceinline__ float sum_over_warp(float value) {
#pragma unroll
  for (int offset = 16; offset; offset >>= 1) value += __shfl_xor_sync(~0u, value, offset);
  return value;
}

/// The sums over a warp of one value a row; lane l gets that of row l / 4.
__device__ __forceinline__ float sum_of_row(float (&rows)[kRowsOfBatch]) {
  static_assert(kRowsOfBatch == 8);
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int half = kRowsOfBatch / 2; half; half /= 2) {
    const int offset = 4 * half;
    const bool upper = (lane & offset) != 0;
#pragma unroll
    for (int i = 0; i < half; ++i) {
      const float given = upper ? rows[i] : rows[i + half];
      const float kept = upper ? rows[i + half] : rows[i];
      rows[i] = kept + __shfl_xor_sync(~0u, given, offset);
    }
  }
  float sum = rows[0] + __shfl_xor_sync(~0u, rows[0], 2);
  return sum + __shfl_xor_sync(~0u, sum, 1);
}

template <typename T>
__device__ __forceinline__ void unpack_elements(const uint4& words, float (&to)[kElementsOfCopy]) {
  const std::uint32_t pairs[4] = {words.x, words.y, words.z, words.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 two = ptx::unpack<T>(pairs[i]);
    to[2 * i] = two.x;
    to[2 * i + 1] = two.y;
  }
}

template <typename T>
__device__ __forceinline__ float add_products(float sum, const uint4& weights, const float (&x)[kElementsOfCopy]) {
  float w[kElementsOfCopy];
  unpack_elements<T>(weights, w);
#pragma unroll
  for (int i = 0; i < kElementsOfCopy; ++i) sum = fmaf(w[i], x[i], sum);
  return sum;
}

__device__ __forceinline__ float gated(float gate, float up) { return gate / (1 + __expf(-gate)) * up; }

/// Copies a block's rows of the weights into its ring: batch by batch, of a batch's rows a piece after the other. What
/// is not there becomes zeros; behind the last batch groups are empty.
template <typename T, LinearOutput kOutput>
struct RowCopies {
  static constexpr bool kGated = kOutput == LinearOutput::swiglu;
  static constexpr int kOutputsOfBatch = kGated ? kRowsOfBatch / 2 : kRowsOfBatch;  // gate rows, then up rows

  const T* weights;
  std::int64_t columns, gate_rows;
  int last;    // output of the block, exclusive
  int output;  // the first of the batch whose copies are next
  int column;  // of this thread
  std::uint32_t ring;
  int slot = 0;

  __device__ __forceinline__ void copy_group() {
    if (output < last) {
      const bool in_row = column < columns;
#pragma unroll
      for (int r = 0; r < kRowsOfBatch; ++r) {
        const int of_row = output + r % kOutputsOfBatch;
        const bool there = in_row && of_row < last;
        const std::int64_t row = of_row + (r >= kOutputsOfBatch ? gate_rows : 0);
        ptx::copy_async_16(ring + (slot * kRowsOfBatch + r) * kVectorThreads * 16,
                           there ? weights + row * columns + column : weights, there);
      }
      column += kPieceColumns;
      if (column - static_cast<int>(threadIdx.x) * kElementsOfCopy >= columns) {
        column = static_cast<int>(threadIdx.x) * kElementsOfCopy;
        output += kOutputsOfBatch;
      }
    }
    ptx::copy_async_commit();
    slot = slot + 1 == kGroups ? 0 : slot + 1;
  }
};

/// The norm of the row by one block, into its shared memory; zeros up to the end of the last piece.
template <typename T>
__device__ __forceinline__ void norm_into(const MatrixVectorParams& p, uint2* x, float* squares_of_warps) {
  const NormInput& norm = p.norm;
  const int thread = static_cast<int>(threadIdx.x);
  const int float4s = static_cast<int>(p.columns / 4);
  uint2 weights[kNormFloat4s];
#pragma unroll
  for (int q = 0; q < kNormFloat4s; ++q) {
    const int i = thread + q * kVectorThreads;
    weights[q] = i < float4s ? __ldg(static_cast<const uint2*>(norm.weight) + i) : uint2{0, 0};
  }
  ptx::wait_for_predecessors();
  float4 residual[kNormFloat4s];
  sum_partials(norm.received.data, norm.received.rank_stride, norm.received.ranks, p.limit, thread, kVectorThreads,
               float4s, residual);
  float squares = 0;
#pragma unroll
  for (int q = 0; q < kNormFloat4s; ++q) {
    const float4& r = residual[q];
    squares += r.x * r.x + r.y * r.y + r.z * r.z + r.w * r.w;
  }
  squares = sum_over_warp(squares);
  if (thread % 32 == 0) squares_of_warps[thread / 32] = squares;
  __syncthreads();
  float total = 0;
#pragma unroll
  for (int warp = 0; warp < kVectorWarps; ++warp) total += squares_of_warps[warp];
  const float scale = rsqrtf(total / static_cast<float>(p.columns) + norm.eps);
#pragma unroll
  for (int q = 0; q < kNormFloat4s; ++q) {
    const int i = thread + q * kVectorThreads;
    const float4& r = residual[q];
    if (i < float4s && blockIdx.x == 0) reinterpret_cast<float4*>(norm.residual_out)[i] = r;
    if (4 * i >= (p.columns + kPieceColumns - 1) / kPieceColumns * kPieceColumns) continue;
    const float2 low = ptx::unpack<T>(weights[q].x);
    const float2 high = ptx::unpack<T>(weights[q].y);
    x[i] = {ptx::pack<T>(r.x * scale * low.x, r.y * scale * low.y),
            ptx::pack<T>(r.z * scale * high.x, r.w * scale * high.y)};
  }
  __syncthreads();
  reset_partials(norm.received.reset, norm.received.rank_stride, norm.received.ranks, float4s,
                 static_cast<int>(blockIdx.x) * kVectorThreads + thread, static_cast<int>(gridDim.x) * kVectorThreads);
}

/// Each block has some outputs, next to each other, and each thread some columns of all of them. Copies of the weights
/// are under way from the first instruction on, while the row of x is waited for, normed and loaded.
template <typename T, LinearOutput kOutput, bool kNormed>
__global__ void __launch_bounds__(kVectorThreads, kBlocksOfSm)
    matrix_vector(const __grid_constant__ MatrixVectorParams p) {
  using Copies = RowCopies<T, kOutput>;
  extern __shared__ __align__(16) unsigned char bytes[];
  VectorMemory& shared = *reinterpret_cast<VectorMemory*>(bytes);
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = thread / 32;
  const int lane = thread % 32;
  const int first = static_cast<int>(blockIdx.x * p.rows / gridDim.x);
  const int last = static_cast<int>((blockIdx.x + 1) * p.rows / gridDim.x);
  ptx::launch_dependents();
  Copies copies{static_cast<const T*>(p.weights),
                p.columns,
                p.rows,
                last,
                first,
                thread * kElementsOfCopy,
                ptx::shared_address(&shared.ring[0][0][thread])};
#pragma unroll
  for (int group = 0; group < kGroups; ++group) copies.copy_group();

  uint2* const normed = reinterpret_cast<uint2*>(bytes + sizeof(VectorMemory));
  if constexpr (kNormed) {
    norm_into<T>(p, normed, shared.squares);
  } else {
    ptx::wait_for_predecessors();
  }
  const auto load_x = [&](int column) -> uint4 {
    if constexpr (kNormed) return *reinterpret_cast<const uint4*>(reinterpret_cast<const T*>(normed) + column);
    return column < p.columns ? __ldcg(reinterpret_cast<const uint4*>(static_cast<const T*>(p.x) + column)) : uint4{};
  };
  constexpr int kOutputsOfRound = kBatchesOfRound * Copies::kOutputsOfBatch;
  const int pieces = static_cast<int>((p.columns + kPieceColumns - 1) / kPieceColumns);
  int slot = 0;
  int parity = 0;
  for (int round = first; round < last; round += kOutputsOfRound, parity ^= 1) {
    const int end = min(round + kOutputsOfRound, last);
    const bool stores = thread < end - round;
    float added = 0;
    if constexpr (kOutput == LinearOutput::partials) {
      if (stores && p.partials.residual) added = __ldcg(p.partials.residual + round + thread);
      if (stores && p.partials.bias)
        added += ptx::to_float(__ldg(static_cast<const T*>(p.partials.bias) + round + thread));
    }
    float(*const sums)[kVectorWarps + 1] = shared.sums[parity];
    int row = 0;  // of the round
    for (int batch = round; batch < end; batch += Copies::kOutputsOfBatch, row += kRowsOfBatch) {
      float of_rows[kRowsOfBatch] = {};
      for (int piece = 0; piece < pieces; ++piece) {
        const uint4 words_of_x = load_x(piece * kPieceColumns + thread * kElementsOfCopy);
        ptx::copy_async_wait<kGroups - 1>();
        uint4 weights[kRowsOfBatch];
#pragma unroll
        for (int r = 0; r < kRowsOfBatch; ++r) weights[r] = shared.ring[slot][r][thread];
        copies.copy_group();
        slot = slot + 1 == kGroups ? 0 : slot + 1;
        float x[kElementsOfCopy];
        unpack_elements<T>(words_of_x, x);
#pragma unroll
        for (int r = 0; r < kRowsOfBatch; ++r) of_rows[r] = add_products<T>(of_rows[r], weights[r], x);
      }
      const float sum = sum_of_row(of_rows);
      if (lane % 4 == 0) sums[row + lane / 4][warp] = sum;
    }
    __syncthreads();
    if (!stores) continue;
    const auto sum_of = [&](int which) {
      float sum = 0;
#pragma unroll
      for (int w = 0; w < kVectorWarps; ++w) sum += sums[which][w];
      return sum;
    };
    const int output = round + thread;
    if constexpr (kOutput == LinearOutput::swiglu) {
      const int gate = thread / Copies::kOutputsOfBatch * kRowsOfBatch + thread % Copies::kOutputsOfBatch;
      static_cast<T*>(p.y)[output] = ptx::from_float<T>(gated(sum_of(gate), sum_of(gate + Copies::kOutputsOfBatch)));
    } else if constexpr (kOutput == LinearOutput::values) {
      static_cast<float*>(p.y)[output] = sum_of(thread);
    } else {
      send_partial(p.partials.sent, output, sum_of(thread) + added);
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

template <typename T, LinearOutput kOutput, bool kNormed>
void launch(const MatrixVectorParams& params, bool dependent, cudaStream_t stream) {
  const auto kernel = matrix_vector<T, kOutput, kNormed>;
  static const int sms = [&] {
    allow_shared_memory(kernel, "matrix_vector", sizeof(VectorMemory) + kMaxHiddenSize * sizeof(T));
    int device = 0;
    int count = 0;
    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device) != cudaSuccess)
      check_launch("matrix_vector");
    return count;
  }();
  const std::int64_t pieces = (params.columns + kPieceColumns - 1) / kPieceColumns;
  const std::size_t bytes = sizeof(VectorMemory) + (kNormed ? pieces * kPieceColumns * sizeof(T) : 0);
  int of_sm = 0;
  if (cudaOccupancyMaxActiveBlocksPerMultiprocessor(&of_sm, kernel, kVectorThreads, bytes) != cudaSuccess)
    check_launch("matrix_vector");
  const std::int64_t blocks =
      std::min<std::int64_t>(std::int64_t{sms} * std::clamp(of_sm, 1, kBlocksOfSm), params.rows);
  LaunchShape shape{dim3(static_cast<unsigned>(blocks)), kVectorThreads, bytes};
  shape.dependent = dependent;
  launch_kernel("matrix_vector", kernel, shape, stream, params);
}

template <typename T, bool kNormed>
void launch_output(const MatrixVectorParams& params, LinearOutput output, bool dependent, cudaStream_t stream) {
  switch (output) {
    case LinearOutput::values:
      return launch<T, LinearOutput::values, kNormed>(params, dependent, stream);
    case LinearOutput::swiglu:
      return launch<T, LinearOutput::swiglu, kNormed>(params, dependent, stream);
    case LinearOutput::partials:
      // A norm always precedes qkv, gate_up or the head.
      if constexpr (!kNormed) return launch<T, LinearOutput::partials, false>(params, dependent, stream);
  }
  fail_launch("matrix_vector", "this input has no such output");
}

template <typename T>
void launch_input(const MatrixVectorParams& params, LinearOutput output, bool dependent, cudaStream_t stream) {
  if (params.norm.weight) {
    launch_output<T, true>(params, output, dependent, stream);
  } else {
    launch_output<T, false>(params, output, dependent, stream);
  }
}

}  // namespace

void launch_matrix_vector(const MatrixVectorParams& params, ElementType type, LinearOutput output, bool dependent,
                          cudaStream_t stream) {
  if (params.columns % kElementsOfCopy != 0) fail_launch("matrix_vector", "columns must be a multiple of 8");
  if (type == ElementType::bfloat16) {
    launch_input<__nv_bfloat16>(params, output, dependent, stream);
  } else {
    launch_input<__half>(params, output, dependent, stream);
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
