#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime.h>

#include <span>

#include "specthink/base/error.h"
#include "specthink/comm/peer_memory.h"

namespace specthink::inline comm {
namespace {

/// What a rank tells the others.
struct Invitation {
  cudaIpcMemHandle_t handle;
  std::int32_t usable;
};

}  // namespace

std::unique_ptr<PeerMemory> PeerMemory::create(const ProcessGroup& group, c10::Device device, std::size_t bytes,
                                               unsigned char fill) {
  const c10::cuda::CUDAGuard guard(device);
  std::unique_ptr<PeerMemory> memory(new PeerMemory(device, group.rank(), group.size()));
  void* own = nullptr;
  cudaError_t status = cudaMalloc(&own, bytes);
  memory->parts_[static_cast<std::size_t>(group.rank())] = static_cast<std::byte*>(own);
  if (status == cudaSuccess) status = cudaMemset(own, fill, bytes);
  if (status == cudaSuccess) status = cudaDeviceSynchronize();
  if (status != cudaSuccess) {
    cudaGetLastError();
    throw EnvironmentError("{} bytes of GPU memory for the exchange between the ranks: CUDA: {}", bytes,
                           cudaGetErrorString(status));
  }
  const bool opened = group.size() == 1 || memory->open(group);
  return opened ? std::move(memory) : nullptr;
}

bool PeerMemory::open(const ProcessGroup& group) {
  const auto own = static_cast<std::size_t>(rank_);
  Invitation invitation{};
  invitation.usable =
      group.local_size() == group.size() && cudaIpcGetMemHandle(&invitation.handle, parts_[own]) == cudaSuccess;
  std::vector<Invitation> all(parts_.size());
  group.all_gather(std::as_bytes(std::span(&invitation, 1)), std::as_writable_bytes(std::span(all)));
  bool good = true;
  for (const Invitation& other : all) good &= other.usable != 0;
  for (std::size_t rank = 0; good && rank < parts_.size(); ++rank) {
    if (rank == own) continue;
    void* part = nullptr;
    good = cudaIpcOpenMemHandle(&part, all[rank].handle, cudaIpcMemLazyEnablePeerAccess) == cudaSuccess;
    if (good) parts_[rank] = static_cast<std::byte*>(part);
  }
  cudaGetLastError();  // a refusal is an answer, not a failure
  for (const std::int64_t other : group.all_gather(static_cast<std::int64_t>(good))) good &= other != 0;
  return good;
}

PeerMemory::~PeerMemory() {
  const c10::cuda::CUDAGuard guard(device_);
  cudaDeviceSynchronize();
  for (std::size_t rank = 0; rank < parts_.size(); ++rank) {
    if (!parts_[rank]) continue;
    if (rank == static_cast<std::size_t>(rank_)) {
      cudaFree(parts_[rank]);
    } else {
      cudaIpcCloseMemHandle(parts_[rank]);
    }
  }
}

}  // namespace specthink::inline comm
