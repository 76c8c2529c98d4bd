// Which device a rank computes on, and its memory.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "specthink/comm/process_group.h"

namespace specthink::inline comm {

enum class DeviceChoice { automatic, cpu, cuda };

/// One GPU per rank, by rank within the node and among the GPUs that this process sees; the CPU where no GPU is usable
/// or `cpu` is asked for. `world` is all ranks of the job. Collective. Throws (on every rank) when `cuda` is asked for
/// and missing, and when two ranks ended up on one GPU (compared by UUID): always when they are of one group, otherwise
/// unless `oversubscribe`.
c10::Device select_device(const ProcessGroup& world, DeviceChoice choice, bool oversubscribe = false);

/// Bytes of the GPU's memory in all; 0 for the CPU.
std::int64_t total_memory(c10::Device device);

/// Bytes of it that are free now.
std::int64_t free_memory(c10::Device device);

/// Gives memory that the library's allocator holds without use back to the GPU; nothing on the CPU.
void release_unused_memory(c10::Device device);

/// "NVIDIA H200, GPU-…" or "CPU, 2 threads".
std::string describe(c10::Device device);

/// Waits until the work queued on the device is done; nothing on the CPU.
void synchronize(c10::Device device);

/// Host memory, [bytes] kByte, from which copies to the device can be queued: pinned where it is a GPU, so that they
/// run beside the processor.
at::Tensor staging_memory(c10::Device device, std::int64_t bytes);

/// A thread that no signal interrupts, for the same device: what it queues on a GPU goes to the caller's stream.
std::thread start_device_thread(c10::Device device, std::function<void()> body);

/// Versions for --version: "13.0, driver 13.0" or "none"; "2.28.9" or "none".
std::string cuda_version();
std::string nccl_version();

}  // namespace specthink::inline comm
