#include <dlfcn.h>

#include <utility>

#include "comm/gpu/nvml.h"

namespace specthink::inline comm {
namespace {

using Status = int;  // nvmlReturn_t
constexpr Status kSuccess = 0;
constexpr unsigned kMaxNvLinks = 18;  // NVML_NVLINK_MAX_LINKS
constexpr int kP2pCapsNvLink = 2;     // NVML_P2P_CAPS_INDEX_NVLINK
constexpr int kP2pStatusOk = 0;       // NVML_P2P_STATUS_OK

struct Memory {  // nvmlMemory_t
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

}  // namespace

std::optional<Nvml> Nvml::open() {
  void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) return std::nullopt;
  auto* init = reinterpret_cast<Status (*)()>(dlsym(library, "nvmlInit_v2"));
  if (!init || init() != kSuccess) {
    dlclose(library);
    return std::nullopt;
  }
  return Nvml(library);
}

Nvml::Nvml(Nvml&& other) noexcept : library_(std::exchange(other.library_, nullptr)) {}

Nvml::~Nvml() {
  if (!library_) return;
  if (auto* shutdown = function<Status()>("nvmlShutdown")) shutdown();
  dlclose(library_);
}

template <class Function>
Function* Nvml::function(const char* name) const {
  return reinterpret_cast<Function*>(dlsym(library_, name));
}

Nvml::Device Nvml::find(const std::string& uuid) const {
  Device device = nullptr;
  auto* get = function<Status(const char*, Device*)>("nvmlDeviceGetHandleByUUID");
  return get && get(uuid.c_str(), &device) == kSuccess ? device : nullptr;
}

std::string Nvml::driver_release() const {
  char text[96] = {};
  auto* get = function<Status(char*, unsigned)>("nvmlSystemGetDriverVersion");
  return get && get(text, sizeof text) == kSuccess ? text : "";
}

std::optional<std::int64_t> Nvml::free_memory(Device device) const {
  Memory memory{};
  auto* get = function<Status(Device, Memory*)>("nvmlDeviceGetMemoryInfo");
  if (!device || !get || get(device, &memory) != kSuccess) return std::nullopt;
  return static_cast<std::int64_t>(memory.free);
}

int Nvml::active_nvlinks(Device device) const {
  auto* get = function<Status(Device, unsigned, unsigned*)>("nvmlDeviceGetNvLinkState");
  if (!device || !get) return -1;
  int active = 0;
  for (unsigned link = 0; link < kMaxNvLinks; ++link) {
    unsigned is_active = 0;
    if (get(device, link, &is_active) == kSuccess && is_active) ++active;
  }
  return active;
}

std::optional<bool> Nvml::joined_by_nvlink(Device a, Device b) const {
  int status = -1;
  auto* get = function<Status(Device, Device, int, int*)>("nvmlDeviceGetP2PStatus");
  if (!a || !b || !get || get(a, b, kP2pCapsNvLink, &status) != kSuccess) return std::nullopt;
  return status == kP2pStatusOk;
}

std::string Nvml::pcie_path(Device a, Device b) const {
  int level = -1;
  auto* get = function<Status(Device, Device, int*)>("nvmlDeviceGetTopologyCommonAncestor");
  if (!a || !b || !get || get(a, b, &level) != kSuccess) return "";
  switch (level) {  // nvmlGpuTopologyLevel_t
    case 0:
      return "one board";
    case 10:
      return "one PCIe switch";
    case 20:
      return "several PCIe switches";
    case 30:
      return "PCIe host bridge";
    case 40:
      return "PCIe within one NUMA node";
    case 50:
      return "PCIe across CPU sockets";
    default:
      return "";
  }
}

}  // namespace specthink::inline comm
