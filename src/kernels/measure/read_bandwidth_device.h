// The CUDA side of measure_read_bandwidth; CUDA builds only.
#pragma once

#include <cstddef>
#include <vector>

namespace specthink::inline kernels {

struct ReadPasses {
  std::size_t buffer_bytes = std::size_t{4} << 30;  ///< at most, and halved down to 256 MiB where memory is short
  int warm_up = 2;
  int timed = 7;
};

/// Bytes per second of each timed pass, on this GPU.
std::vector<double> time_read_passes(int device, const ReadPasses& passes = {});

/// What cudaMalloc and its like say; nvcc does not get through the formatting library.
[[noreturn]] void throw_cuda_failure(const char* what, int status);
[[noreturn]] void throw_no_memory_to_read(unsigned long long bytes);

}  // namespace specthink::inline kernels
