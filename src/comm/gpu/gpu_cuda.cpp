#include <ATen/ATen.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime.h>
#include <nccl.h>

#include "comm/gpu/gpu.h"
#include "specthink/base/error.h"

namespace specthink::inline comm::gpu {
namespace {

#define SPECTHINK_CHECK_CUDA(call)                                                               \
  do {                                                                                           \
    const cudaError_t status = (call);                                                           \
    if (status != cudaSuccess) {                                                                 \
      throw EnvironmentError("{}:{}: CUDA: {}", __FILE__, __LINE__, cudaGetErrorString(status)); \
    }                                                                                            \
  } while (false)

cudaDeviceProp properties(int index) {
  cudaDeviceProp result{};
  SPECTHINK_CHECK_CUDA(cudaGetDeviceProperties(&result, index));
  return result;
}

std::string version_text(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

}  // namespace

int count() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess) {
    cudaGetLastError();  // no driver or no GPU: not an error of ours
    return 0;
  }
  return devices;
}

const char* why_none() { return "no usable GPU here; see `nvidia-smi`"; }

void use(int index) { c10::cuda::set_device(static_cast<c10::DeviceIndex>(index)); }

void use_own_stream(int index) {
  c10::cuda::setCurrentCUDAStream(
      c10::cuda::getStreamFromPool(/*isHighPriority=*/true, static_cast<c10::DeviceIndex>(index)));
}

std::string name(int index) { return properties(index).name; }

std::string uuid(int index) {
  const cudaDeviceProp device = properties(index);
  std::string text = "GPU-";
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", static_cast<unsigned char>(device.uuid.bytes[i]));
  }
  return text;
}

std::int64_t total_memory(int index) { return static_cast<std::int64_t>(properties(index).totalGlobalMem); }

std::int64_t free_memory(int index) {
  use(index);
  std::size_t free = 0;
  std::size_t total = 0;
  SPECTHINK_CHECK_CUDA(cudaMemGetInfo(&free, &total));
  return static_cast<std::int64_t>(free);
}

void release_unused_memory() { c10::cuda::CUDACachingAllocator::emptyCache(); }

at::Tensor pinned_memory(std::int64_t bytes) {
  if (bytes == 0) return at::empty({0}, at::kByte);
  void* data = nullptr;
  SPECTHINK_CHECK_CUDA(cudaHostAlloc(&data, static_cast<std::size_t>(bytes), cudaHostAllocDefault));
  return at::from_blob(data, {bytes}, [](void* memory) { cudaFreeHost(memory); }, at::kByte);
}

void synchronize(int index) {
  use(index);
  SPECTHINK_CHECK_CUDA(cudaDeviceSynchronize());
}

std::string cuda_version() {
  int runtime = 0;
  int driver = 0;
  cudaRuntimeGetVersion(&runtime);
  cudaDriverGetVersion(&driver);
  return fmt::format("{}, driver {}", version_text(runtime), driver ? version_text(driver) : "none");
}

std::string nccl_version() {
  int version = 0;
  ncclGetVersion(&version);
  return fmt::format("{}.{}.{}", version / 10000, version % 10000 / 100, version % 100);
}

}  // namespace specthink::inline comm::gpu
