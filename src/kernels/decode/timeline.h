// Where the kernels of a step record their times (kernels/device/kernel_timeline.cuh), and how they are read back; CUDA
// builds only.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "specthink/kernels/decode_step.h"

namespace specthink {

class DecodeTimeline {
 public:
  DecodeTimeline() = default;  ///< records nothing
  DecodeTimeline(std::int64_t kernels, const at::TensorOptions& device);

  /// A step begins to be queued; its kernels are recorded if `recorded`.
  void begin_step(bool recorded);
  /// Where the next kernel records its times; null: nowhere.
  std::uint64_t* marks(const char* name);

  /// The kernels of the recorded step that ran last, in order; waits for the device.
  std::vector<KernelTimes> times() const;

 private:
  at::Tensor marks_;  // [kernels, kMarksOfKernel] int64; undefined: records nothing
  bool recording_ = false;
  std::vector<std::string> names_;  // kernels of the recorded step
};

}  // namespace specthink
