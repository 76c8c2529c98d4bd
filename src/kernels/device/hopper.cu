#include <cuda_runtime.h>

#include "kernels/device/hopper.cuh"
#include "kernels/device/hopper.h"
#include "kernels/device/launch.h"

namespace specthink::inline kernels {
namespace {

struct Code {
  int hopper = 0;
  int wgmma = 0;
};

__global__ void report_code(Code* code) { *code = {SPECTHINK_HOPPER_CODE, SPECTHINK_WGMMA_CODE}; }

/// What the code that the driver has chosen for the device says of itself: nothing else knows both the build and the
/// GPU. Not while a graph is captured.
Code ask_code(int device) {
  int before = 0;
  Code* on_device = nullptr;
  Code code;
  const bool good = cudaGetDevice(&before) == cudaSuccess && cudaSetDevice(device) == cudaSuccess &&
                    cudaMalloc(&on_device, sizeof(Code)) == cudaSuccess;
  if (good) {
    report_code<<<1, 1>>>(on_device);
    if (cudaMemcpy(&code, on_device, sizeof(Code), cudaMemcpyDeviceToHost) != cudaSuccess) code = {};
  }
  cudaFree(on_device);
  cudaSetDevice(before);
  cudaGetLastError();  // no code for this device is an answer
  return code;
}

/// Asked once: a process uses one GPU.
Code code_for(int device) {
  static const int asked = device;
  static const Code code = ask_code(device);
  return asked == device ? code : ask_code(device);
}

}  // namespace

bool has_hopper_code(int device) { return code_for(device).hopper != 0; }

bool has_wgmma_code(int device) { return code_for(device).wgmma != 0; }

bool is_hopper(int device) {
  int major = 0;
  const bool known = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess;
  return known && major == 9 && has_hopper_code(device);
}

}  // namespace specthink::inline kernels
