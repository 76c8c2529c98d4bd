// Whether this build has code of Hopper's instructions for a GPU; CUDA builds only.
#pragma once

namespace specthink::inline kernels {

/// For the kernels of hopper.cuh with SPECTHINK_HOPPER_CODE: the GPU has compute capability 9.0 or more, and the build
/// names an architecture that has.
bool has_hopper_code(int device);

/// The same with SPECTHINK_WGMMA_CODE: a GPU of compute capability 9.0, a build for 90a.
bool has_wgmma_code(int device);

/// A GPU of compute capability 9.x, with code for it: what the decode kernels are laid out for and have run on. Later
/// ones have the instructions, but some of them less than half of the shared memory.
bool is_hopper(int device);

}  // namespace specthink::inline kernels
