// What comm needs to know of this node's GPUs; CUDA builds only.
#pragma once

#include <cstdint>
#include <string>

namespace specthink::gpu {

int count();
void use(int index);  ///< the current device of this process from now on
std::string name(int index);
std::string uuid(int index);
std::int64_t total_memory(int index);
std::int64_t free_memory(int index);
void synchronize(int index);
std::string cuda_version();
std::string nccl_version();

}  // namespace specthink::gpu
