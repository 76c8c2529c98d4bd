// Records the times of kernel_marks.h: %globaltimer in nanoseconds.
#pragma once

#include <cstdint>

#include "kernels/device/kernel_marks.h"
#include "kernels/device/ptx.cuh"

namespace specthink::inline kernels {

/// `marks`: kMarksOfKernel words, or null: nothing is recorded. `block`: whose times they are.
__device__ __forceinline__ void record(std::uint64_t* marks, Mark mark, unsigned block = 0) {
  if (marks && blockIdx.x == block && blockIdx.y == 0 && threadIdx.x == 0)
    marks[static_cast<int>(mark)] = ptx::nanoseconds();
}

}  // namespace specthink::inline kernels
