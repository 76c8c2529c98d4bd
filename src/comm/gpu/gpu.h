// What comm needs to know of this node's GPUs. In a build without CUDA code there are none (gpu_cpu.cpp).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "specthink/comm/gpu_info.h"

namespace specthink::inline comm::gpu {

int count();
const char* why_none();  ///< for a message, with what to do
void use(int index);     ///< the current device of this process from now on

/// Work of this thread goes to a stream of its own from now on: the default stream cannot be captured into a graph.
void use_own_stream(int index);

std::string name(int index);
std::string uuid(int index);
std::int64_t total_memory(int index);
std::int64_t free_memory(int index);
void release_unused_memory();                  ///< of the caching allocator
at::Tensor pinned_memory(std::int64_t bytes);  ///< [bytes] kByte
void synchronize(int index);
std::string cuda_version();
std::string nccl_version();
CudaInfo inspect();  ///< see specthink/comm/gpu_info.h

}  // namespace specthink::inline comm::gpu
