#include "specthink/comm/gpu_info.h"

#include <filesystem>

#ifdef SPECTHINK_WITH_CUDA
#include "comm/gpu.h"
#endif

namespace specthink::inline comm {

CudaInfo inspect_cuda() {
#ifdef SPECTHINK_WITH_CUDA
  CudaInfo info = gpu::inspect();
#else
  CudaInfo info;
#endif
  std::error_code ignored;
  info.has_driver = info.driver_version > 0 || std::filesystem::exists("/proc/driver/nvidia/version", ignored);
  return info;
}

}  // namespace specthink::inline comm
