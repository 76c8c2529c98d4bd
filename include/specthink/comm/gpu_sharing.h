// Two ranks on one GPU: found by the GPUs' UUIDs. Pure logic.
#pragma once

#include <span>
#include <string>

namespace specthink::inline comm {

/// `uuids[r]` and `groups[r]` are the GPU and the group of rank r, `gpus` the GPUs that this rank sees, `local_ranks`
/// the ranks of its node. Throws EnvironmentError that names both ranks and the GPU when two ranks share one and
/// `oversubscribe` is false, and when they are of one group in any case: NCCL joins one rank per GPU.
void check_gpu_sharing(std::span<const std::string> uuids, std::span<const int> groups, bool oversubscribe, int gpus,
                       int local_ranks);

}  // namespace specthink::inline comm
