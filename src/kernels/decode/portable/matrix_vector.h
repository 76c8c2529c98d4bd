// Linear layers of a decode step on any GPU: of one row by a kernel that streams the weights through shared memory, of
// several by LibTorch's product, whose sums the small kernels here take further.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/decode/linear/linear.h"
#include "specthink/kernels/element_type.h"

namespace specthink::inline kernels {

struct MatrixVectorParams {
  const void* weights = nullptr;  // [rows, columns]; of a swiglu [2 · rows, columns]: gate rows, then up rows
  std::int64_t rows = 0;          // outputs
  std::int64_t columns = 0;       // a multiple of 8
  const void* x = nullptr;        // [columns], without a norm
  NormInput norm;                 // of one row; its weight null: none
  SpinLimit limit;
  void* y = nullptr;  // values: [rows] float32; swiglu: [rows]
  PartialsOutput partials;
};

/// One row: reads the weights once, 2 bytes each. Sums in float32. `dependent`: programmatic dependent launch.
void launch_matrix_vector(const MatrixVectorParams& params, ElementType type, LinearOutput output, bool dependent,
                          cudaStream_t stream);

/// Sums [rows, columns] float32, with what `partials` adds to them, to every rank. `columns`: a multiple of 4.
void launch_send_sums(const float* sums, const PartialsOutput& partials, int rows, std::int64_t columns,
                      ElementType type, cudaStream_t stream);

/// y [rows, columns] = silu(gate) · up, of [rows, 2 · columns] float32: gate, then up.
void launch_gated_sums(const float* gate_up, void* y, int rows, std::int64_t columns, ElementType type,
                       cudaStream_t stream);

}  // namespace specthink::inline kernels
