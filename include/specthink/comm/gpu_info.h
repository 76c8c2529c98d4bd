// What the GPUs of this node are and how they are joined; for `specthink doctor`. Makes no CUDA context, so that it
// takes no memory on any GPU.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace specthink::inline comm {

struct GpuInfo {
  std::string name;
  std::string uuid;
  int compute_capability = 0;     ///< 90 is 9.0
  std::int64_t total_memory = 0;  ///< bytes
  std::int64_t free_memory = -1;  ///< bytes, before this process takes any; -1: not known (no NVML)
  int nvlinks = -1;               ///< that are up; -1: not known

  friend bool operator==(const GpuInfo&, const GpuInfo&) = default;
};

/// Between two of the visible GPUs.
struct GpuLink {
  int a = 0;
  int b = 0;
  bool peer_access = false;    ///< in both directions
  bool nvlink = false;         ///< by NVML; without it, guessed from native atomics over the link
  bool type_is_known = false;  ///< by NVML
  std::string path;            ///< "NVLink", "one PCIe switch", "two CPU sockets" ...

  friend bool operator==(const GpuLink&, const GpuLink&) = default;
};

struct CudaInfo {
  bool is_built = false;       ///< this program has CUDA code
  bool has_driver = false;     ///< the system has one, whether or not this program can use it
  int build_version = 0;       ///< 13000 is 13.0, as CUDA counts; 0 in a CPU build
  int runtime_version = 0;     ///< of the library that was loaded
  int driver_version = 0;      ///< newest CUDA that the driver runs; 0: no usable driver
  std::string driver_release;  ///< "580.65.06"; empty when not known
  std::vector<GpuInfo> gpus;   ///< those that CUDA_VISIBLE_DEVICES leaves, in CUDA's order
  std::vector<GpuLink> links;  ///< every pair of them
  std::string problem;         ///< what CUDA says when it cannot list the GPUs
};

CudaInfo inspect_cuda();

}  // namespace specthink::inline comm
