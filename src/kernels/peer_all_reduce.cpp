#include "specthink/kernels/peer_all_reduce.h"

#ifdef SPECTHINK_WITH_CUDA
#include "kernels/peer_all_reduce_cuda.h"
#endif

namespace specthink {

std::unique_ptr<Collectives> with_peer_all_reduce(std::unique_ptr<Collectives> inner, const ProcessGroup& group,
                                                  c10::Device device, double wait_limit_seconds) {
#ifdef SPECTHINK_WITH_CUDA
  if (device.is_cuda() && group.size() > 1) {
    return with_peer_all_reduce_on_device(std::move(inner), group, device, wait_limit_seconds);
  }
#endif
  return inner;
}

}  // namespace specthink
