#include "specthink/comm/device.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <utility>

#include "comm/gpu/gpu.h"
#include "specthink/comm/gpu_sharing.h"
#include "specthink/comm/quiet_thread.h"

namespace specthink::inline comm {

c10::Device select_device(const ProcessGroup& world, DeviceChoice choice, bool oversubscribe) {
  const int gpus = choice == DeviceChoice::cpu ? 0 : gpu::count();
  // All ranks compute on GPUs or none does.
  bool everywhere = true;
  for (const std::int64_t count : world.all_gather(static_cast<std::int64_t>(gpus))) everywhere &= count > 0;
  if (!everywhere) {
    together(world, [&] {
      if (choice == DeviceChoice::cuda && gpus == 0) {
        throw EnvironmentError("--device cuda: {}, or use --device cpu", gpu::why_none());
      }
    });
    return c10::Device(c10::kCPU);
  }
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
}

std::int64_t total_memory(c10::Device device) {
  if (device.is_cuda()) return gpu::total_memory(device.index());
  return 0;
}

std::int64_t free_memory(c10::Device device) {
  if (device.is_cuda()) return gpu::free_memory(device.index());
  return 0;
}

void release_unused_memory(c10::Device device) {
  if (device.is_cuda()) gpu::release_unused_memory();
}

std::string describe(c10::Device device) {
  if (device.is_cuda()) return gpu::name(device.index()) + ", " + gpu::uuid(device.index());
  return fmt::format("CPU, {} threads", at::get_num_threads());
}

void synchronize(c10::Device device) {
  if (device.is_cuda()) gpu::synchronize(device.index());
}

at::Tensor staging_memory(c10::Device device, std::int64_t bytes) {
  return device.is_cuda() ? gpu::pinned_memory(bytes) : at::empty({bytes}, at::kByte);
}

std::thread start_device_thread(c10::Device device, std::function<void()> body) {
  if (device.is_cpu()) return start_quiet_thread(std::move(body));
  const c10::impl::VirtualGuardImpl backend(device.type());
  return start_quiet_thread([device, stream = backend.getStream(device), backend, body = std::move(body)] {
    backend.setDevice(device);
    backend.exchangeStream(stream);
    body();
  });
}

std::string cuda_version() { return gpu::cuda_version(); }

std::string nccl_version() { return gpu::nccl_version(); }

}  // namespace specthink::inline comm
