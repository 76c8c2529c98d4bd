// All-reduce of small tensors over mapped peer memory: for prefills of a few hundred rows, where NCCL's latency counts.
#pragma once

#include <c10/core/Device.h>

#include <memory>

#include "specthink/comm/collectives.h"
#include "specthink/comm/process_group.h"

namespace specthink {

/// `inner` with another all_reduce for bfloat16 and float16 tensors of at most kPeerAllReduceBytes on GPUs: each rank
/// stores its values into a buffer of every other rank and adds what it receives in rank order, in float32. `inner`
/// itself where the ranks cannot map each other's memory, for one rank and in CPU builds. Collective.
/// A wait for another rank ends after `wait_limit_seconds`; the next call then throws EnvironmentError.
std::unique_ptr<Collectives> with_peer_all_reduce(std::unique_ptr<Collectives> inner, const ProcessGroup& group,
                                                  c10::Device device, double wait_limit_seconds);

constexpr std::int64_t kPeerAllReduceBytes = std::int64_t{4} << 20;

}  // namespace specthink
