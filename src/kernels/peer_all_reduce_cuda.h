// The CUDA side of peer_all_reduce.h; CUDA builds only.
#pragma once

#include "specthink/kernels/peer_all_reduce.h"

namespace specthink {

std::unique_ptr<Collectives> with_peer_all_reduce_on_device(std::unique_ptr<Collectives> inner,
                                                            const ProcessGroup& group, c10::Device device,
                                                            double wait_limit_seconds);

}  // namespace specthink
