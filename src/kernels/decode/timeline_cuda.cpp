#include <ATen/ATen.h>

#include "kernels/decode/timeline.h"
#include "kernels/device/kernel_marks.h"
#include "specthink/base/error.h"

namespace specthink::inline kernels {

DecodeTimeline::DecodeTimeline(std::int64_t kernels, const at::TensorOptions& device)
    : marks_(at::zeros({kernels, kMarksOfKernel}, device.dtype(at::kLong))) {}

void DecodeTimeline::begin_step(bool recorded) {
  recording_ = recorded && marks_.defined();
  if (recording_) names_.clear();
}

std::uint64_t* DecodeTimeline::marks(const char* name) {
  if (!recording_) return nullptr;
  const auto index = static_cast<std::int64_t>(names_.size());
  check(index < marks_.size(0), "a longer step than the timeline");
  names_.emplace_back(name);
  return static_cast<std::uint64_t*>(marks_.mutable_data_ptr()) + index * kMarksOfKernel;
}

std::vector<KernelTimes> DecodeTimeline::times() const {
  std::vector<KernelTimes> kernels;
  if (!marks_.defined()) return kernels;
  const at::Tensor marks = marks_.cpu();
  const auto* mark = marks.const_data_ptr<std::int64_t>();
  const auto at = [&](Mark which) { return static_cast<std::uint64_t>(mark[static_cast<int>(which)]); };
  for (const std::string& name : names_) {
    kernels.push_back({name,
                       at(Mark::started),
                       at(Mark::released),
                       at(Mark::ended),
                       {at(Mark::first), at(Mark::second), at(Mark::third)}});
    mark += kMarksOfKernel;
  }
  return kernels;
}

}  // namespace specthink::inline kernels
