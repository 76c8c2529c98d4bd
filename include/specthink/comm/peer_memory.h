// GPU memory of every rank of a group, mapped into each of them (CUDA IPC over NVLink or PCIe); CUDA builds only.
#pragma once

#include <c10/core/Device.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "specthink/comm/process_group.h"

namespace specthink::inline comm {

class PeerMemory {
 public:
  /// `bytes` on each rank, every byte set to `fill`. Collective. Null on every rank where some rank cannot map the
  /// memory of another: other nodes, no peer access, GPUs hidden from each other. Throws EnvironmentError when the
  /// memory itself cannot be had.
  static std::unique_ptr<PeerMemory> create(const ProcessGroup& group, c10::Device device, std::size_t bytes,
                                            unsigned char fill);
  ~PeerMemory();
  PeerMemory(const PeerMemory&) = delete;
  PeerMemory& operator=(const PeerMemory&) = delete;

  /// Address of `rank`'s memory in this process.
  std::byte* of(int rank) const { return parts_[static_cast<std::size_t>(rank)]; }
  int ranks() const { return static_cast<int>(parts_.size()); }

 private:
  PeerMemory(c10::Device device, int rank, int ranks)
      : device_(device), rank_(rank), parts_(static_cast<std::size_t>(ranks)) {}
  bool open(const ProcessGroup& group);

  c10::Device device_;
  int rank_;
  std::vector<std::byte*> parts_;
};

}  // namespace specthink::inline comm
