#include "specthink/replay/step_timeline.h"

#include <algorithm>
#include <cstdint>

namespace specthink::inline replay {
namespace {

double microseconds(std::uint64_t from, std::uint64_t to) {
  return 1e-3 * static_cast<double>(static_cast<std::int64_t>(to - from));
}

}  // namespace

std::vector<KernelShare> kernel_shares(std::span<const KernelTimes> kernels) {
  std::vector<KernelShare> shares;
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    const KernelTimes& kernel = kernels[i];
    auto share = std::ranges::find(shares, kernel.name, &KernelShare::name);
    if (share == shares.end()) share = shares.insert(share, {.name = kernel.name});
    ++share->count;
    share->ran += microseconds(kernel.released, kernel.ended);
    if (i == 0) continue;
    share->ahead += microseconds(kernel.started, kernels[i - 1].ended);
    share->waited += microseconds(kernels[i - 1].ended, kernel.released);
  }
  for (KernelShare& share : shares) {
    const int with_one_before = share.count - (share.name == kernels.front().name ? 1 : 0);
    share.ran /= share.count;
    if (with_one_before == 0) continue;
    share.ahead /= with_one_before;
    share.waited /= with_one_before;
  }
  return shares;
}

}  // namespace specthink::inline replay
