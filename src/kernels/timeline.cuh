// When a kernel's first block started, was released by the kernel before it, and ended: %globaltimer in nanoseconds.
#pragma once

#include <cstdint>

#include "kernels/ptx.cuh"

namespace specthink {

constexpr int kMarksOfKernel = 6;
/// first, second, third: stages inside, each kernel's own.
enum class Mark { started, released, ended, first, second, third };

/// `marks`: kMarksOfKernel words, or null: nothing is recorded.
__device__ __forceinline__ void record(std::uint64_t* marks, Mark mark) {
  if (marks && blockIdx.x == 0 && blockIdx.y == 0 && threadIdx.x == 0)
    marks[static_cast<int>(mark)] = ptx::nanoseconds();
}

}  // namespace specthink
