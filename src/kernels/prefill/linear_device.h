// The products of a short prefill on Hopper; CUDA builds only.
//
// One thread of a block copies panels of the weights and of x into a ring in shared memory; two warpgroups multiply, 64
// rows of x each. The weights stream once, at the speed of the memory; with programmatic dependent launch the ring has
// its first weights when the kernel before ends. How tiles are distributed: prefill_linear_plan.h.
#pragma once

#include <ATen/core/Tensor.h>
#include <cuda.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/exchange/exchange.h"
#include "kernels/prefill/linear_plan.h"
#include "specthink/kernels/element_type.h"

namespace specthink::inline kernels {

struct PrefillLinearParams {
  CUtensorMap x;        ///< make_panel_map() of [rows, k], boxes of box_rows rows
  CUtensorMap weights;  ///< the same of [weight rows, k], boxes of plan.width rows; gated: half as many
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

/// Whether the kernel multiplies by these weights: contiguous, on a GPU that runs it, of 16 bits, k and the outputs
/// multiples of 8.
bool fits_prefill_linear(const at::Tensor& weights, bool gated);

/// What depends on the weights alone; they fit.
PrefillLinearParams prefill_linear_params(const at::Tensor& weights, bool gated);

/// `x`: [rows, k], contiguous.
void set_x(PrefillLinearParams& params, const void* x, int rows);

/// On the current device.
void launch_prefill_linear(const PrefillLinearParams& params, ElementType type, cudaStream_t stream);

}  // namespace specthink::inline kernels
