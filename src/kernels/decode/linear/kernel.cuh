// The linear layer of a decode step (linear.h), for linear.cu and linear_float8.cu.
#pragma once

#include "kernels/decode/linear/consumer.cuh"
#include "kernels/decode/linear/layout.h"
#include "kernels/decode/linear/linear.h"
#include "kernels/decode/linear/normed_row.cuh"
#include "kernels/decode/linear/operands.cuh"
#include "kernels/decode/linear/pipelined.cuh"
#include "kernels/decode/linear/ring.cuh"
#include "kernels/decode/linear/scales.cuh"
#include "kernels/device/hopper.cuh"
#include "kernels/device/kernel_launch.cuh"
#include "kernels/device/kernel_timeline.cuh"
#include "kernels/device/ptx.cuh"
#include "kernels/device/tensor_map.h"
#include "kernels/exchange/exchange.cuh"

namespace specthink::inline kernels {
namespace {

template <typename T, int kRows, LinearInput kInput, LinearOutput kOutput>
__device__ __forceinline__ void store_outputs(const LinearParams& p, const float* sums, int group_index,
                                              const float* residual) {
  const int group_rows = p.geometry.group_rows;
  const int weight_rows = weight_rows_of(kOutput, group_rows);
  const std::int64_t first_row = static_cast<std::int64_t>(group_index) * group_rows;
  const auto sum_of = [&](int m, int row) {
    const float* const parts = sums + (m * weight_rows + row) * kWarpStride;
    float sum = 0;
#pragma unroll
    for (int warp = 0; warp < kConsumerWarps; ++warp) sum += parts[warp];
    if constexpr (kInput == LinearInput::scaled) sum *= p.x_inverses[m];
    return sum;
  };
  int turn = 0;
  for (int i = static_cast<int>(threadIdx.x); i < group_rows * kRows; i += kConsumers, ++turn) {
    const int m = kRows == 1 ? 0 : i / group_rows;
    const int local_row = kRows == 1 ? i : i % group_rows;
    const std::int64_t row = first_row + local_row;
    if (row >= p.rows) continue;
    float value = sum_of(m, local_row);
    if constexpr (kOutput == LinearOutput::values) {
      static_cast<float*>(p.y)[m * p.rows + row] = value;
    } else if constexpr (kOutput == LinearOutput::swiglu) {
      const float up = sum_of(m, local_row + group_rows);
      value = value / (1 + __expf(-value)) * up;
      static_cast<T*>(p.y)[activation_index(kRows, m, row)] = ptx::from_float<T>(value);
    } else {
      if (p.partials.residual) value = residual[turn] + value;
      send_partial(p.partials.sent, m * p.rows + row, value);
    }
  }
}

/// What is added to the outputs of a group that this thread stores, in their order.
template <typename T, int kRows, int kResiduals>
__device__ __forceinline__ void load_residuals(const LinearParams& p, int group, float (&residual)[kResiduals]) {
  const int group_rows = p.geometry.group_rows;
#pragma unroll
  for (int turn = 0; turn < kResiduals; ++turn) {
    const int i = static_cast<int>(threadIdx.x) + turn * kConsumers;
    const int m = i / group_rows;
    const std::int64_t row = static_cast<std::int64_t>(group) * group_rows + i - m * group_rows;
    if (m >= kRows || row >= p.rows) continue;
    residual[turn] = __ldcg(p.partials.residual + m * p.rows + row);
    if (p.partials.bias) residual[turn] += ptx::to_float(__ldg(static_cast<const T*>(p.partials.bias) + row));
  }
}

/// The products of a group's tiles, `kTiles` of them or, where that is the most, the consumer's number: a chunk after
/// the other.
template <WeightFormat kFormat, typename T, int kRows, LinearInput kInput, LinearOutput kOutput, int kTiles,
          bool kExact, bool kInShared>
struct TileMultiplier {
  const LinearParams& p;
  const Consumer<kFormat, kRows, kInput>& consumer;
  const Scales<kFormat, kOutput>& scales_of_block;
  std::uint32_t shared_scales;
  Ring& ring;

  __device__ __forceinline__ void multiply(int group, float* sums) {
    using Operands = LinearOperands<kFormat, T>;
    using OfGroup = GroupScales<kFormat, kOutput, kTiles, kInShared>;
    constexpr int kSets = (kRows + 7) / 8;  // of eight rows of x
    const int chunks = p.geometry.chunks;
    const OfGroup scales(p, scales_of_block, shared_scales, group, consumer.columns_of, consumer.g);
    float accumulators[kTiles][kSets][4] = {};
    if constexpr (kInput != LinearInput::norm) ring.await_first_activations();
    for (int chunk = 0; chunk < chunks; ++chunk) {
      ring.await();
      const std::uint32_t stage = ring.stage();
      typename Operands::X x[kSets];
      load_x<Operands>(consumer, ring.x_of_stage(), chunk, x);
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
        if (!kExact && tile >= consumer.tiles) break;
        const auto factors = scales.load(chunk, tile);
        const auto low = Operands::prepare(consumer.load_weights(stage, tile, 0));
        const auto high = Operands::prepare(consumer.load_weights(stage, tile, 1));
        typename OfGroup::template Sums<kSets> of_tile{accumulators[tile]};
#pragma unroll
        for (int set = 0; set < kSets; ++set) Operands::multiply(low, high, x[set], of_tile.of(set));
        of_tile.add(factors, x);
      }
      std::uint32_t used = 0;
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
        for (int set = 0; set < kSets; ++set) used ^= __float_as_uint(accumulators[tile][set][0]);
      }
      ring.release(used);
    }
    consumer.template store_sums<kIsScaled<kFormat, T>>(accumulators, sums);
  }
};

/// All groups of the block, each group's outputs after its last chunk.
template <WeightFormat kFormat, typename T, int kRows, LinearInput kInput, LinearOutput kOutput, typename Multiplier>
__device__ __forceinline__ void multiply_groups(const LinearParams& p, Multiplier multiplier, int first_group,
                                                int last_group, float* sums, int sums_of_group) {
  constexpr int kResiduals = (kMaxGroupRows * kRows + kConsumers - 1) / kConsumers;
  for (int group = first_group; group < last_group; ++group) {
    float residual[kResiduals] = {};
    if constexpr (kOutput == LinearOutput::partials) {
      if (p.partials.residual) load_residuals<T, kRows>(p, group, residual);
    }
    float* const of_group = sums + (group % sum_buffers(kRows, kFormat)) * sums_of_group;
    multiplier.multiply(group, of_group);
    ptx::named_barrier_sync<kConsumers>(kConsumerBarrier);
    record(p.marks, Mark::second);  // the last group's weights are read
    store_outputs<T, kRows, kInput, kOutput>(p, of_group, group, residual);
    if (sum_buffers(kRows, kFormat) == 1 && group + 1 < last_group)
      ptx::named_barrier_sync<kConsumers>(kConsumerBarrier);
  }
}

/// Blocks of an SM that have registers: two, so that the next kernel begins beside this one. With 8-bit weights one,
/// whose tiles need them to be converted and multiplied side by side.
template <WeightFormat kFormat>
constexpr int kBlocksOfSm = kFormat == WeightFormat::float8 ? 1 : 2;

/// `kFloat4s`: float4 of the hidden state that a consumer holds; 0 without a norm.
template <WeightFormat kFormat, typename T, int kRows, int kFloat4s, LinearInput kInput, LinearOutput kOutput>
__global__ void __launch_bounds__(kThreads, kBlocksOfSm<kFormat>) linear(const __grid_constant__ LinearParams p) {
#if SPECTHINK_HOPPER_CODE
  static_assert((kFloat4s > 0) == (kInput == LinearInput::norm));
  extern __shared__ __align__(1024) unsigned char shared[];
  const LinearGeometry& geometry = p.geometry;
  const int weight_rows = weight_rows_of(kOutput, geometry.group_rows);
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int first_group = static_cast<int>(static_cast<std::int64_t>(blockIdx.x) * geometry.groups / gridDim.x);
  const int last_group = static_cast<int>(static_cast<std::int64_t>(blockIdx.x + 1) * geometry.groups / gridDim.x);

  Ring ring;
  ring.full = ptx::shared_address(shared);
  ring.empty = ring.full + geometry.stages * 8;
  ring.data = ring.full + ring_offset(kFormat);
  ring.weight_bytes = static_cast<std::uint32_t>(weight_rows * kChunkRowBytes);
  ring.x_bytes = kInput != LinearInput::norm ? kRows * x_row_bytes(kFormat) : 0;
  ring.x = ring.data + geometry.stages * ring.weight_bytes;
  ring.stages = geometry.stages;
  const int total = (last_group - first_group) * geometry.chunks;
  ring.refills = total - geometry.stages;
  unsigned char* const after_ring =
      shared + ring_offset(kFormat) + geometry.stages * (ring.weight_bytes + ring.x_bytes);
  static_assert(kFloat4sOfPass % chunk_columns(kFormat) == 0);
  uint2* const row_of_x = reinterpret_cast<uint2*>(after_ring);
  float* const sums = reinterpret_cast<float*>(after_ring + row_bytes(geometry.chunks, kRows, kInput, kFormat));
  const int sums_of_group = weight_rows * kRows * kWarpStride;
  float* const scratch = sums + sum_buffers(kRows, kFormat) * sums_of_group;

  ptx::launch_dependents();
  record(p.marks, Mark::started);
  if (warp == kConsumerWarps) {
    run_producer<kFormat, kRows, kInput, kOutput>(p, ring, lane, first_group, total);
    return;
  }

  const Scales<kFormat, kOutput> scales = [&] {
    if constexpr (kFormat == WeightFormat::float8) {
      return BlockScales<kOutput>(p, first_group * geometry.group_rows, last_group * geometry.group_rows,
                                  reinterpret_cast<float*>(shared + kBarrierBytes));
    } else {
      return NoScales{};
    }
  }();
  Consumer<kFormat, kRows, kInput> consumer(weight_rows, row_of_x);
  float inverse = 1;  // of what the normed row was scaled by
  if constexpr (kInput == LinearInput::norm) {
    const NormWeights<T, kFloat4s> weights(p.norm.weight, static_cast<int>(p.columns / 4));
    ptx::wait_for_predecessors();
    record(p.marks, Mark::released);
    inverse = norm_row<kFormat, T, kFloat4s>(p, weights, row_of_x, scratch);
    ptx::named_barrier_sync<kThreads>(kReadyBarrier);
    record(p.marks, Mark::first);  // the normed row is there
    reset_partials(p.norm.received.reset, p.norm.received.rank_stride, p.norm.received.ranks,
                   static_cast<int>(p.columns / 4),
                   static_cast<int>(blockIdx.x) * kConsumers + static_cast<int>(threadIdx.x),
                   static_cast<int>(gridDim.x) * kConsumers);
  } else {
    const FirstActivations<kFormat, kRows> activations(ring, total);
    if (threadIdx.x == 0) activations.expect();
    ptx::wait_for_predecessors();
    record(p.marks, Mark::released);
    if (threadIdx.x == 0) activations.copy(p);
    ptx::named_barrier_sync<kThreads>(kReadyBarrier);
    record(p.marks, Mark::first);  // the activations are on their way
  }

  consumer.inverse = inverse;
  const std::uint32_t shared_scales = ptx::shared_address(shared) + kBarrierBytes;
  const auto run = [&](auto multiplier) {
    multiply_groups<kFormat, T, kRows, kInput, kOutput>(p, multiplier, first_group, last_group, sums, sums_of_group);
  };
  const auto run_tiles = [&]<int kTiles, bool kExact, bool kInShared>() {
    run(TileMultiplier<kFormat, T, kRows, kInput, kOutput, kTiles, kExact, kInShared>{p, consumer, scales,
                                                                                      shared_scales, ring});
  };
  if constexpr (kFormat == WeightFormat::elements) {
    // One loop for all: a kernel of a small model is over before it has fetched much code.
    run_tiles.template operator()<kMaxTiles, false, false>();
  } else if (!scales.in_shared) {
    run_tiles.template operator()<kMaxTiles, false, false>();
  } else if constexpr (kRows > 8) {
    // Without branches the conversions of one tile run beside the products of another.
    static_assert(kMaxTiles == 3);
    switch (consumer.tiles) {
      case 1:
        run_tiles.template operator()<1, true, true>();
        break;
      case 2:
        run_tiles.template operator()<2, true, true>();
        break;
      default:
        run_tiles.template operator()<3, true, true>();
    }
  } else {
    const std::uint32_t halves = ptx::shared_address(row_of_x) + warp * kHalvesOfWarp;
    const auto run_halves = [&]<int kHalves>() {
      run(PipelinedMultiplier<T, kRows, kInput, kOutput, kHalves>(p, consumer, scales, shared_scales, halves, ring,
                                                                  first_group, total));
    };
    switch ((weight_rows + 7) / 8) {
      case 1:
      case 2:
        run_halves.template operator()<2>();
        break;
      case 3:
        run_halves.template operator()<3>();
        break;
      case 4:
        run_halves.template operator()<4>();
        break;
      case 5:
        run_halves.template operator()<5>();
        break;
      default:
        run_halves.template operator()<6>();
    }
  }
  record(p.marks, Mark::ended);
#endif
}

template <WeightFormat kFormat, typename T, int kRows, int kFloat4s, LinearInput kInput, LinearOutput kOutput>
void launch(const LinearParams& params, bool dependent, cudaStream_t stream) {
  const auto kernel = linear<kFormat, T, kRows, kFloat4s, kInput, kOutput>;
  static const bool configured = [&] {
    allow_large_shared_memory(kernel, "linear");
    return true;
  }();
  (void)configured;
  const LaunchShape shape{dim3(static_cast<unsigned>(params.geometry.blocks)), kThreads, params.geometry.shared_bytes,
                          1, dependent};
  launch_kernel("linear", kernel, shape, stream, params);
}

template <WeightFormat kFormat, typename T, int kRows, LinearInput kInput = LinearInput::activations, int kFloat4s = 0>
void launch_output(const LinearParams& params, LinearOutput output, bool dependent, cudaStream_t stream) {
  switch (output) {
    case LinearOutput::values:
      return launch<kFormat, T, kRows, kFloat4s, kInput, LinearOutput::values>(params, dependent, stream);
    case LinearOutput::swiglu:
      return launch<kFormat, T, kRows, kFloat4s, kInput, LinearOutput::swiglu>(params, dependent, stream);
    case LinearOutput::partials:
      // A norm always precedes qkv, gate_up or the head, never a linear layer that is summed over the ranks.
      if constexpr (kInput == LinearInput::activations)
        return launch<kFormat, T, kRows, kFloat4s, kInput, LinearOutput::partials>(params, dependent, stream);
  }
  fail_launch("linear", "this input has no such output");
}

template <WeightFormat kFormat, typename T>
void launch_normed(const LinearParams& params, LinearOutput output, bool dependent, cudaStream_t stream) {
  static_assert(kMaxHiddenSize == 4 * kFloat4sOfPass);
  switch ((params.columns + kFloat4sOfPass - 1) / kFloat4sOfPass) {
    case 1:
      return launch_output<kFormat, T, 1, LinearInput::norm, 1>(params, output, dependent, stream);
    case 2:
      return launch_output<kFormat, T, 1, LinearInput::norm, 2>(params, output, dependent, stream);
    case 3:
      return launch_output<kFormat, T, 1, LinearInput::norm, 3>(params, output, dependent, stream);
    case 4:
      return launch_output<kFormat, T, 1, LinearInput::norm, 4>(params, output, dependent, stream);
  }
  fail_launch("linear", "the hidden size is too large for the fused norm");
}

template <WeightFormat kFormat, typename T>
void launch_rows(const LinearParams& params, int x_rows, LinearInput input, LinearOutput output, bool dependent,
                 cudaStream_t stream) {
  if (input == LinearInput::norm) {
    if (x_rows != 1) fail_launch("linear", "the fused norm is for one row");
    return launch_normed<kFormat, T>(params, output, dependent, stream);
  }
  const auto launch_input = [&]<LinearInput kInput>() {
    switch (x_rows) {
      case 1:
        return launch_output<kFormat, T, 1, kInput>(params, output, dependent, stream);
      case 2:
        return launch_output<kFormat, T, 2, kInput>(params, output, dependent, stream);
      case 4:
        return launch_output<kFormat, T, 4, kInput>(params, output, dependent, stream);
      case 8:
        return launch_output<kFormat, T, 8, kInput>(params, output, dependent, stream);
      case 16:
        return launch_output<kFormat, T, 16, kInput>(params, output, dependent, stream);
    }
    fail_launch("linear", "rows must be 1, 2, 4, 8 or 16");
  };
  if (input == LinearInput::activations) return launch_input.template operator()<LinearInput::activations>();
  if constexpr (kIsScaled<kFormat, T>) return launch_input.template operator()<LinearInput::scaled>();
  fail_launch("linear", "no such input of these weights");
}

}  // namespace

}  // namespace specthink::inline kernels
