// Records the times of kernel_marks.h: %globaltimer in nanoseconds.
#pragma once

#include <cstdint>

#include "kernels/kernel_marks.h"
#include "kernels/ptx.cuh"

namespace specthink {

/// `marks`: kMarksOfKernel words, or null: nothing is recorded.
__device__ __forceinline__ void record(std::uint64_t* marks, Mark mark) {
  if (marks && blockIdx.x == 0 && blockIdx.y == 0 && threadIdx.x == 0)
    marks[static_cast<int>(mark)] = ptx::nanoseconds();
}

}  // namespace specthink
