// Launching kernels with the attributes of a decode step.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#include "kernels/device/launch.h"

namespace specthink::inline kernels {

struct LaunchShape {
  dim3 grid = 1;
  int threads = 1;
  std::size_t shared_bytes = 0;
  int cluster = 1;         ///< blocks of a cluster along x
  bool dependent = false;  ///< may start before the kernel before it in the stream has ended
};

/// All kernels of a step ask for the same carve-out of shared memory: an SM that has to change it drains first.
template <typename... Params>
void prefer_shared_memory(void (*kernel)(Params...), const char* name) {
  if (cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout, 100) != cudaSuccess) {
    check_launch(name);
  }
}

/// Lets a kernel take up to `bytes` of shared memory.
template <typename... Params>
void allow_shared_memory(void (*kernel)(Params...), const char* name, std::size_t bytes) {
  prefer_shared_memory(kernel, name);
  if (cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)) != cudaSuccess)
    check_launch(name);
}

/// Up to 227 KB, all that Hopper has.
template <typename... Params>
void allow_large_shared_memory(void (*kernel)(Params...), const char* name) {
  allow_shared_memory(kernel, name, 227 * 1024);
}

template <typename... Params, typename... Arguments>
void launch_kernel(const char* name, void (*kernel)(Params...), const LaunchShape& shape, cudaStream_t stream,
                   const Arguments&... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = shape.grid;
  config.blockDim = static_cast<unsigned>(shape.threads);
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = stream;
  cudaLaunchAttribute attributes[2];
  unsigned count = 0;
  if (shape.dependent) {
    attributes[count].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attributes[count++].val.programmaticStreamSerializationAllowed = 1;
  }
  if (shape.cluster > 1) {
    attributes[count].id = cudaLaunchAttributeClusterDimension;
    attributes[count++].val.clusterDim = {static_cast<unsigned>(shape.cluster), 1, 1};
  }
  config.attrs = attributes;
  config.numAttrs = count;
  if (cudaLaunchKernelEx(&config, kernel, Params(arguments)...) != cudaSuccess) check_launch(name);
}

}  // namespace specthink::inline kernels
