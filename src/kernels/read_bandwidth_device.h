// The CUDA side of measure_read_bandwidth; CUDA builds only.
#pragma once

#include <vector>

namespace specthink {

/// Bytes per second of each timed pass, on this GPU.
std::vector<double> time_read_passes(int device);

/// What cudaMalloc and its like say; nvcc does not get through the formatting library.
[[noreturn]] void throw_cuda_failure(const char* what, int status);
[[noreturn]] void throw_no_memory_to_read(unsigned long long bytes);

}  // namespace specthink
