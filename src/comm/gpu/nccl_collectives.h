// Collectives on GPUs.
#pragma once

#include <memory>

#include "specthink/comm/collectives.h"

namespace specthink::inline comm {

std::unique_ptr<Collectives> make_nccl_collectives(const ProcessGroup& group, c10::Device device);

}  // namespace specthink::inline comm
