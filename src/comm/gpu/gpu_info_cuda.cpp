#include <cuda_runtime.h>

#include <optional>

#include "comm/gpu/gpu.h"
#include "comm/gpu/nvml.h"
#include "specthink/comm/gpu_info.h"

namespace specthink::inline comm::gpu {
namespace {

GpuInfo inspect_gpu(int index, const std::optional<Nvml>& nvml) {
  GpuInfo info;
  info.name = name(index);
  info.uuid = uuid(index);
  info.total_memory = total_memory(index);
  int major = 0;
  int minor = 0;
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index);
  cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, index);
  info.compute_capability = 10 * major + minor;
  if (!nvml) return info;
  const Nvml::Device device = nvml->find(info.uuid);
  info.free_memory = nvml->free_memory(device).value_or(-1);
  info.nvlinks = nvml->active_nvlinks(device);
  return info;
}

bool can_access(int from, int to) {
  int possible = 0;
  return cudaDeviceCanAccessPeer(&possible, from, to) == cudaSuccess && possible != 0;
}

GpuLink inspect_link(int a, int b, const std::vector<GpuInfo>& gpus, const std::optional<Nvml>& nvml) {
  GpuLink link;
  link.a = a;
  link.b = b;
  link.peer_access = can_access(a, b) && can_access(b, a);
  std::optional<bool> nvlink;
  if (nvml) {
    const Nvml::Device first = nvml->find(gpus[static_cast<std::size_t>(a)].uuid);
    const Nvml::Device second = nvml->find(gpus[static_cast<std::size_t>(b)].uuid);
    nvlink = nvml->joined_by_nvlink(first, second);
    if (nvlink && !*nvlink) link.path = nvml->pcie_path(first, second);
  }
  link.type_is_known = nvlink.has_value();
  int atomics = 0;  // PCIe has none between GPUs
  cudaDeviceGetP2PAttribute(&atomics, cudaDevP2PAttrNativeAtomicSupported, a, b);
  link.nvlink = nvlink.value_or(link.peer_access && atomics != 0);
  if (link.path.empty()) link.path = link.nvlink ? "NVLink" : "PCIe";
  return link;
}

}  // namespace

CudaInfo inspect() {
  CudaInfo info;
  info.is_built = true;
  info.build_version = CUDART_VERSION;
  cudaRuntimeGetVersion(&info.runtime_version);
  cudaDriverGetVersion(&info.driver_version);
  int gpus = 0;
  const cudaError_t status = cudaGetDeviceCount(&gpus);
  if (status != cudaSuccess) {
    info.problem = cudaGetErrorString(status);
    cudaGetLastError();  // it would be reported by the next call
    gpus = 0;
  }
  const std::optional<Nvml> nvml = Nvml::open();
  if (nvml) info.driver_release = nvml->driver_release();
  for (int index = 0; index < gpus; ++index) info.gpus.push_back(inspect_gpu(index, nvml));
  for (int a = 0; a < gpus; ++a) {
    for (int b = a + 1; b < gpus; ++b) info.links.push_back(inspect_link(a, b, info.gpus, nvml));
  }
  cudaGetLastError();  // of a question that this driver cannot answer
  return info;
}

}  // namespace specthink::inline comm::gpu
