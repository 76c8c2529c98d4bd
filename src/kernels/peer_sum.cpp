#include "specthink/kernels/peer_sum.h"

#ifdef SPECTHINK_WITH_CUDA
#include "kernels/peer_sum_cuda.h"
#endif

namespace specthink {

std::unique_ptr<PeerSum> PeerSum::create([[maybe_unused]] const ProcessGroup& group,
                                         [[maybe_unused]] c10::Device device, [[maybe_unused]] const Options& options) {
#ifdef SPECTHINK_WITH_CUDA
  const bool wanted = options.all_reduce != AllReduce::nccl && options.bytes > 0;
  if (device.is_cuda() && wanted && group.size() > 1 && group.size() <= kMaxRanks) {
    return make_peer_sum(group, device, options);
  }
#endif
  return nullptr;
}

}  // namespace specthink
