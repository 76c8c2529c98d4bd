#include "specthink/comm/device.h"

#include <ATen/Parallel.h>

#ifdef SPECTHINK_WITH_CUDA
#include "comm/gpu.h"
#include "specthink/comm/gpu_sharing.h"
#endif

namespace specthink::inline comm {

c10::Device select_device(const ProcessGroup& world, DeviceChoice choice, bool oversubscribe) {
  int gpus = 0;
#ifdef SPECTHINK_WITH_CUDA
  if (choice != DeviceChoice::cpu) gpus = gpu::count();
#endif
  // All ranks compute on GPUs or none does.
  bool everywhere = true;
  for (const std::int64_t count : world.all_gather(static_cast<std::int64_t>(gpus))) everywhere &= count > 0;
  if (!everywhere) {
    together(world, [&] {
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
  // Each rank sees what CUDA_VISIBLE_DEVICES and the launcher's binding leave it: all GPUs of the node, or its own
  // only.
  const int index = world.local_rank() % gpus;
  together(world, [&] {
    gpu::use(index);
    gpu::use_own_stream(index);
  });
  const std::vector<std::string> uuids = world.all_gather(gpu::uuid(index));
  std::vector<int> groups;
  for (const std::int64_t number : world.all_gather(std::int64_t{world.board().group()})) {
    groups.push_back(static_cast<int>(number));
  }
  together(world, [&] { check_gpu_sharing(uuids, groups, oversubscribe, gpus, world.local_size()); });
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

void release_unused_memory(c10::Device device) {
#ifdef SPECTHINK_WITH_CUDA
  if (device.is_cuda()) gpu::release_unused_memory();
#endif
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

}  // namespace specthink::inline comm
