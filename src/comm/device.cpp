#include "specthink/comm/device.h"

#include <ATen/Parallel.h>

#ifdef SPECTHINK_WITH_CUDA
#include "comm/gpu.h"
#endif

namespace specthink {
namespace {

#ifdef SPECTHINK_WITH_CUDA
// Throws when two ranks of a job share one GPU.
void check_distinct(const ProcessGroup& group, const std::string& uuid) {
  const std::vector<std::string> uuids = group.all_gather(uuid);
  together(group, [&] {
    for (int a = 0; a < group.size(); ++a) {
      for (int b = a + 1; b < group.size(); ++b) {
        if (uuids[static_cast<std::size_t>(a)] != uuids[static_cast<std::size_t>(b)]) continue;
        throw EnvironmentError(
            "ranks {} and {} are both on {}: give each rank a GPU of its own (fewer ranks, or check "
            "CUDA_VISIBLE_DEVICES)",
            a, b, uuids[static_cast<std::size_t>(a)]);
      }
    }
  });
}
#endif

}  // namespace

c10::Device select_device(const ProcessGroup& group, DeviceChoice choice) {
  int gpus = 0;
#ifdef SPECTHINK_WITH_CUDA
  if (choice != DeviceChoice::cpu) gpus = gpu::count();
#endif
  // All ranks compute on GPUs or none does.
  bool everywhere = true;
  for (const std::int64_t count : group.all_gather(static_cast<std::int64_t>(gpus))) everywhere &= count > 0;
  if (!everywhere) {
    together(group, [&] {
      if (choice != DeviceChoice::cuda) return;
#ifdef SPECTHINK_WITH_CUDA
      if (gpus == 0) throw EnvironmentError("--device cuda: no usable GPU here; see `nvidia-smi`, or use --device cpu");
#else
      throw EnvironmentError("--device cuda: this build has no CUDA code; build with -DSPECTHINK_CUDA=ON, or use --device cpu");
#endif
    });
    return c10::Device(c10::kCPU);
  }
#ifdef SPECTHINK_WITH_CUDA
  // A launcher that binds one GPU to each task leaves each rank one visible device.
  const int index = gpus == 1 ? 0 : group.local_rank();
  together(group, [&] {
    if (index >= gpus) {
      throw EnvironmentError("{} ranks on this node, but {} GPUs: start as many ranks as there are GPUs",
                             group.local_size(), gpus);
    }
    gpu::use(index);
    gpu::use_own_stream(index);
  });
  check_distinct(group, gpu::uuid(index));
  return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
#else
  throw InternalError("GPUs counted in a build without CUDA");
#endif
}

std::int64_t total_memory(c10::Device device) {
#ifdef SPECTHINK_WITH_CUDA
  if (device.is_cuda()) return gpu::total_memory(device.index());
#endif
  return 0;
}

std::int64_t free_memory(c10::Device device) {
#ifdef SPECTHINK_WITH_CUDA
  if (device.is_cuda()) return gpu::free_memory(device.index());
#endif
  return 0;
}

std::string describe(c10::Device device) {
#ifdef SPECTHINK_WITH_CUDA
  if (device.is_cuda()) return gpu::name(device.index()) + ", " + gpu::uuid(device.index());
#endif
  return fmt::format("CPU, {} threads", at::get_num_threads());
}

void synchronize(c10::Device device) {
#ifdef SPECTHINK_WITH_CUDA
  if (device.is_cuda()) gpu::synchronize(device.index());
#endif
}

std::string cuda_version() {
#ifdef SPECTHINK_WITH_CUDA
  return gpu::cuda_version();
#else
  return "none";
#endif
}

std::string nccl_version() {
#ifdef SPECTHINK_WITH_CUDA
  return gpu::nccl_version();
#else
  return "none";
#endif
}

}  // namespace specthink
