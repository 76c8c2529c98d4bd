// The few things that only NVML knows: which GPUs an NVLink joins, and memory in use without a CUDA context. The
// library comes with the driver and is loaded when it is there; its ABI is stable, so that no header of it is needed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace specthink::inline comm {

class Nvml {
 public:
  /// Null when the library is missing or refuses to start.
  static std::optional<Nvml> open();
  ~Nvml();
  Nvml(Nvml&& other) noexcept;
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;
  Nvml& operator=(Nvml&&) = delete;

  using Device = void*;  // an opaque pointer of NVML; null: not found

  /// By a UUID as CUDA reports it, "GPU-...".
  Device find(const std::string& uuid) const;

  std::string driver_release() const;  ///< empty when not known
  std::optional<std::int64_t> free_memory(Device device) const;
  int active_nvlinks(Device device) const;
  std::optional<bool> joined_by_nvlink(Device a, Device b) const;
  std::string pcie_path(Device a, Device b) const;  ///< empty when not known

 private:
  explicit Nvml(void* library) : library_(library) {}
  template <class Function>
  Function* function(const char* name) const;

  void* library_ = nullptr;
};

}  // namespace specthink::inline comm
