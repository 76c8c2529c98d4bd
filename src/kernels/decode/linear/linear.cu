#include "kernels/decode/linear/float8.h"
#include "kernels/decode/linear/kernel.cuh"

namespace specthink::inline kernels {

void launch_linear(const LinearParams& params, ElementType type, int x_rows, LinearInput input, LinearOutput output,
                   bool dependent, cudaStream_t stream, WeightFormat format) {
  constexpr WeightFormat kFormat = WeightFormat::elements;
  if (format == WeightFormat::float8) {
    launch_float8_linear(params, type, x_rows, input, output, dependent, stream);
  } else if (type == ElementType::bfloat16) {
    launch_rows<kFormat, __nv_bfloat16>(params, x_rows, input, output, dependent, stream);
  } else {
    launch_rows<kFormat, __half>(params, x_rows, input, output, dependent, stream);
  }
}

}  // namespace specthink::inline kernels
