#include "specthink/comm/gpu_sharing.h"

#include "specthink/base/error.h"

namespace specthink::inline comm {

void check_gpu_sharing(std::span<const std::string> uuids, std::span<const int> groups, bool oversubscribe, int gpus,
                       int local_ranks) {
  for (std::size_t a = 0; a < uuids.size(); ++a) {
    for (std::size_t b = a + 1; b < uuids.size(); ++b) {
      if (uuids[a] != uuids[b]) continue;
      if (!oversubscribe) {
        throw EnvironmentError(
            "ranks {} and {} are both on {} ({} ranks on this node, {} visible GPU{}): start one rank a GPU, check "
            "CUDA_VISIBLE_DEVICES and Slurm's --gpus-per-task, or allow it with --oversubscribe-gpus",
            a, b, uuids[a], local_ranks, gpus, gpus == 1 ? "" : "s");
      }
      if (groups[a] == groups[b]) {
        throw EnvironmentError(
            "ranks {} and {} of one group are both on {}: NCCL joins one rank a GPU, so --oversubscribe-gpus needs "
            "groups of one rank there (--tp 1), or as many GPUs as --tp",
            a, b, uuids[a]);
      }
    }
  }
}

}  // namespace specthink::inline comm
