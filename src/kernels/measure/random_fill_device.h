// The CUDA side of random_fill; CUDA builds only.
#pragma once

#include "specthink/kernels/random_fill.h"

namespace specthink::inline kernels {

void random_fill_on_device(at::Tensor& tensor, const MatrixSlice& slice, std::uint64_t key, float amplitude);

}  // namespace specthink::inline kernels
