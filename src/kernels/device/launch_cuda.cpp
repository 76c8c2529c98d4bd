#include <cuda_runtime.h>

#include "kernels/device/launch.h"
#include "specthink/base/error.h"

namespace specthink::inline kernels {

void check_launch(const char* kernel) {
  const cudaError_t status = cudaGetLastError();
  if (status != cudaSuccess) throw EnvironmentError("kernel {}: CUDA: {}", kernel, cudaGetErrorString(status));
}

void fail_launch(const char* kernel, const char* why) { throw InternalError("kernel {}: {}", kernel, why); }

void no_kernel_for(const char* kernel, c10::ScalarType type) {
  throw InternalError("kernel {} has no version for {}", kernel, c10::toString(type));
}

}  // namespace specthink::inline kernels
