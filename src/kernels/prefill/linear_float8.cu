#include "kernels/prefill/linear_kernel.cuh"

namespace specthink::inline kernels {

void launch_float8_prefill_linear(const PrefillLinearParams& params, ElementType type, cudaStream_t stream) {
  launch_of_format<WeightFormat::float8>(params, type, stream);
}

}  // namespace specthink::inline kernels
