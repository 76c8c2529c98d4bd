// What the kernels of a decode step take, by their names.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "specthink/kernels/decode_step.h"

namespace specthink::inline replay {

/// The kernels of one name in a step: means, in microseconds, of a kernel's first block. A kernel starts before the one
/// before it has ended, and waits inside for its end.
struct KernelShare {
  std::string name;
  int count = 0;
  double ahead = 0;   ///< from its start to the end of the first block of the kernel before
  double waited = 0;  ///< from there to the end of all blocks of that kernel
  double ran = 0;     ///< from there to its own end
};

/// In the order in which the names come first. The step's first kernel has nothing before it, and is not counted in
/// `ahead` and `waited`.
std::vector<KernelShare> kernel_shares(std::span<const KernelTimes> kernels);

}  // namespace specthink::inline replay
