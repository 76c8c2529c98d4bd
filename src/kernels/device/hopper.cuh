// What kernels made of Hopper's instructions look like in builds for other GPUs: their bodies are left out, and
// has_hopper_code() keeps them from being launched.
#pragma once

/// Bulk copies, clusters, dependent launches: compute capability 9.0 and later ones.
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
#define SPECTHINK_HOPPER_CODE 1
#else
#define SPECTHINK_HOPPER_CODE 0
#endif

/// Products of warpgroups: compute capability 9.0 alone, and only where the build names its architecture 90a.
#if !defined(__CUDA_ARCH__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define SPECTHINK_WGMMA_CODE 1
#else
#define SPECTHINK_WGMMA_CODE 0
#endif
