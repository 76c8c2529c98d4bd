// Matrix products of 1 to 16 rows that stream the weights at memory speed: y[m] = W · x[m], W [rows, columns]
// row-major.
//
// One producer warp of each block copies boxes of the weights into a ring in shared memory; sixteen consumer warps
// multiply them on the tensor cores. Weights do not depend on the kernel before, so with programmatic dependent launch
// the ring fills while that one still runs. A chunk is `group_rows` rows of 1 KB, 512 columns of 16 bits or 1024 of 8:
// each consumer warp takes 64 bytes of each row, and the warps' sums are added when the group's last chunk is done.
//
// Bandwidth: a block keeps stages x chunk bytes in flight, about 200 KB an SM; 36 GB/s an SM (4.7 TB/s) x 1.5 us of
// latency needs 54 KB.
#pragma once

#include <cuda.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "kernels/device/weight_format.h"
#include "kernels/exchange/exchange.h"
#include "specthink/kernels/element_type.h"

namespace specthink::inline kernels {

constexpr int kChunkRowBytes = 1024;  ///< of a row of the weights in a chunk
constexpr int kMostChunkColumns = 1024;
constexpr int kMaxGroupRows = 48;     ///< weight rows of a chunk: six tiles of eight
constexpr int kMaxHiddenSize = 8192;  ///< that a fused norm holds in registers

/// Activations between kernels: row m's element k of [rows of x, K] is at activation_index(), zero beyond K up to a
/// whole chunk. All rows' parts of 32 columns lie together, as one warp wants them.
constexpr std::int64_t activation_index(int rows, int row, std::int64_t k) {
  return (k / 32 * rows + row) * 32 + k % 32;
}
constexpr std::int64_t padded_columns(std::int64_t columns) {
  return (columns + kMostChunkColumns - 1) / kMostChunkColumns * kMostChunkColumns;
}

constexpr int chunk_columns(WeightFormat format) {
  return format == WeightFormat::float8 ? kChunkRowBytes : kChunkRowBytes / 2;
}

enum class LinearInput {
  activations,  ///< activation layout, written by the kernel before
  norm,         ///< one row: RMSNorm of the sum of received partials
  scaled,       ///< activation layout, float16, each row multiplied by a power of two: of 8-bit weights and bfloat16
};

enum class LinearOutput {
  values,    ///< float32 [rows of x, rows]
  swiglu,    ///< W = gate rows, then up rows; silu(gate) · up in activation layout
  partials,  ///< float32 partial sums to every rank
};

/// Residual = Σ received partials; x = residual / rms(residual) · weight.
struct NormInput {
  ReceivedPartials received;      // [ranks][hidden]
  const void* weight = nullptr;   // [hidden]
  float* residual_out = nullptr;  // [hidden] float32
  float eps = 0;
};

struct PartialsOutput {
  SentPartials sent;
  const float* residual = nullptr;  // [rows of x, rows] float32, added by the one rank that has it; else null
  const void* bias = nullptr;       // [rows], likewise
};

/// How a linear layer is cut into blocks and chunks.
struct LinearGeometry {
  int group_rows = 0;  ///< outputs of a group (for swiglu: gate rows, and as many up rows)
  int groups = 0;
  int blocks = 0;
  int chunks = 0;  ///< along the columns
  int stages = 0;
  int first_copies = 0;  ///< chunks that are under way at once while the ring is filled for the first time
  int most_copies = 0;   ///< and later
  std::size_t shared_bytes = 0;
};

struct LinearParams {
  CUtensorMap weights;  // boxes of group_rows rows
  WeightScales scales;  // WeightFormat::float8; least blocks: linear_obstacle()
  LinearGeometry geometry;
  std::int64_t rows = 0;              // outputs
  std::int64_t columns = 0;           // hidden size, for norm
  const void* x = nullptr;            // activations, scaled
  const float* x_inverses = nullptr;  // [rows of x] of scaled: what takes the powers of two back
  NormInput norm;
  void* y = nullptr;  // values, swiglu
  PartialsOutput partials;
  SpinLimit limit;
  std::uint64_t* marks = nullptr;  // kernels/device/kernel_timeline.cuh
};

/// Cuts a product of `x_rows` rows for a GPU with `sms` multiprocessors. `shared_budget`: bytes of shared memory that
/// a block may take.
LinearGeometry choose_geometry(std::int64_t rows, std::int64_t columns, int x_rows, LinearInput input,
                               LinearOutput output, int sms, std::size_t shared_budget,
                               WeightFormat format = WeightFormat::elements);

/// The products of a decode step.
enum class DecodeLinear { qkv, output, gate_up, down, head };

/// Whether the kernels of a layer wait for each other for longer than for the memory: of 16-bit weights, a rank's part.
bool is_short_layer(std::int64_t hidden_size, std::int64_t intermediate_size, int sms);

/// Shared memory that a block of a decode step's linear layer should take, of `weight_bytes` a GPU. Two blocks an SM
/// let the next linear layer's ring fill while this one computes; where a block has much to read, one large ring does
/// better, except that qkv of several rows leaves room for a block of the attention. In a step of one row, `is_short`
/// layers are cut so that each block fits beside one of the next kernel, but no two of the same kernel beside a third:
/// kernels start in the shadow of others, on all SMs alike. Blocks of 8-bit weights have an SM's registers to
/// themselves, and so all of its memory.
std::size_t linear_shared_budget(DecodeLinear which, int x_rows, std::int64_t weight_bytes, int sms, bool is_short,
                                 WeightFormat format = WeightFormat::elements);

/// Reads the weights once, 2 bytes each or 1, and x; writes y, or 4 bytes an output to every rank. `x_rows` is one of
/// kStepRowCounts; `dependent`: programmatic dependent launch on the kernel before in the stream.
///
/// 8-bit weights are converted in registers, with sums and factors in float32. bfloat16 activations are scaled into
/// float16's range (operands.cuh), which rounds only what is below 2^-28 of the largest near it.
void launch_linear(const LinearParams& params, ElementType type, int x_rows, LinearInput input, LinearOutput output,
                   bool dependent, cudaStream_t stream, WeightFormat format = WeightFormat::elements);

}  // namespace specthink::inline kernels
