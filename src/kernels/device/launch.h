// Errors of kernel launches. nvcc does not get through the formatting library, so that .cu files throw by way of these.
#pragma once

#include <c10/core/ScalarType.h>

namespace specthink::inline kernels {

/// Throws EnvironmentError when the last launch failed.
void check_launch(const char* kernel);

/// Throws InternalError: the launch was asked for what the kernel does not do.
[[noreturn]] void fail_launch(const char* kernel, const char* why);

[[noreturn]] void no_kernel_for(const char* kernel, c10::ScalarType type);

}  // namespace specthink::inline kernels
