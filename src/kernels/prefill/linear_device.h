// The products of a short prefill on Hopper; CUDA builds only.
//
// One thread of a block copies panels of the weights and of x into a ring in shared memory; two warpgroups multiply, 64
// rows of x each. The weights stream once, at the speed of the memory; with programmatic dependent launch the ring has
// its first weights when the kernel before ends. Weights of 8 bits stream as they are, and the consumers round them,
// times their factors, to the type of x. How tiles are distributed: linear_plan.h.
#pragma once

#include <ATen/core/Tensor.h>
#include <cuda.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/device/weight_format.h"
#include "kernels/exchange/exchange.h"
#include "kernels/prefill/linear_plan.h"
#include "specthink/kernels/element_type.h"
#include "specthink/kernels/loaded_shard.h"

namespace specthink::inline kernels {

struct PrefillLinearParams {
  CUtensorMap x;        ///< make_panel_map() of [rows, k], boxes of box_rows rows
  CUtensorMap weights;  ///< the same of [weight rows, k], boxes of plan.width rows; gated: half as many; of 8-bit
                        ///< weights make_byte_map()
  WeightFormat format = WeightFormat::elements;
  WeightScales scales;  ///< float8: blocks of at least 16 columns
  PrefillLinearPlan plan;
  const void* bias = nullptr;       ///< [outputs]; null: none
  void* y = nullptr;                ///< [rows, outputs]; gated: silu(gate) · up; null: the sums are sent instead
  SentPartials sent;                ///< [rows, outputs] float32; never of a gated product
  const float* residual = nullptr;  ///< the same, added to what is sent; null: nothing is
  int rows = 0;                     ///< 1 to kLinearTileRows
  int box_rows = 0;                 ///< rows, up to whole swizzled groups: to fill many more with zeros takes longer
  int outputs = 0;                  ///< even
  int k = 0;
  bool gated = false;
  bool dependent = true;  ///< programmatic dependent launch: nothing before in the stream writes the weights
};

/// True where the kernel runs: compute capability 9.0.
bool takes_prefill_linear(int device);

/// The blocks that the current device runs.
LinearBlocks prefill_linear_blocks();

/// Whether the kernel multiplies by these weights: contiguous, on a GPU that runs it, of 16 or 8 bits, the outputs a
/// multiple of 8, rows of whole 16 bytes and, of 8-bit weights, blocks of factors of as many columns.
bool fits_prefill_linear(const WeightMatrix& weights, bool gated);

/// What depends on the weights alone; they fit.
PrefillLinearParams prefill_linear_params(const WeightMatrix& weights, bool gated);

/// `x`: [rows, k], contiguous.
void set_x(PrefillLinearParams& params, const void* x, int rows);

/// On the current device. `type`: of x, y and 16-bit weights.
void launch_prefill_linear(const PrefillLinearParams& params, ElementType type, cudaStream_t stream);

/// The same for 8-bit weights alone: kernels of a file of their own.
void launch_float8_prefill_linear(const PrefillLinearParams& params, ElementType type, cudaStream_t stream);

}  // namespace specthink::inline kernels
