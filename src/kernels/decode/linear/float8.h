// launch_linear() of 8-bit weights: kernels of a file of their own.
#pragma once

#include "kernels/decode/linear/linear.h"

namespace specthink::inline kernels {

void launch_float8_linear(const LinearParams& params, ElementType type, int x_rows, LinearInput input,
                          LinearOutput output, bool dependent, cudaStream_t stream);

}  // namespace specthink::inline kernels
