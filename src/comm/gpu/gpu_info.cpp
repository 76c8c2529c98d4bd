#include "specthink/comm/gpu_info.h"

#include <filesystem>

#include "comm/gpu/gpu.h"

namespace specthink::inline comm {

CudaInfo inspect_cuda() {
  CudaInfo info = gpu::inspect();
  std::error_code ignored;
  info.has_driver = info.driver_version > 0 || std::filesystem::exists("/proc/driver/nvidia/version", ignored);
  return info;
}

}  // namespace specthink::inline comm
