// The CUDA side of PeerSum::create; CUDA builds only.
#pragma once

#include "specthink/kernels/peer_sum.h"

namespace specthink {

std::unique_ptr<PeerSum> make_peer_sum(const ProcessGroup& group, c10::Device device, const PeerSum::Options& options);

}  // namespace specthink
