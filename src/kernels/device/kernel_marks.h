// Times that a kernel of a decode step records; shared by its code and by its reader.
#pragma once

namespace specthink::inline kernels {

constexpr int kMarksOfKernel = 6;
/// When a kernel's first block started, was released by the kernel before it, and ended; first, second, third: stages
/// inside, each kernel's own.
enum class Mark { started, released, ended, first, second, third };

}  // namespace specthink::inline kernels
