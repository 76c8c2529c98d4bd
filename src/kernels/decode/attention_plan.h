// How many blocks work on a KV head in decode_attention.h: pure arithmetic.
//
// A cluster lies in one GPC, and GPCs have unequal numbers of SMs: H100s hold 7 clusters of 16 blocks at once, or 15
// of 8. Small clusters with more helpers can therefore put more SMs to work than large ones.
#pragma once

#include <initializer_list>

namespace specthink {

constexpr int kMaxAttentionHelpers = 3;  ///< helper clusters of a KV head

/// Clusters that a GPU runs at the same time with an SM to each block; 0: it takes none of this size.
struct AttentionClusters {
  int of_8 = 0;
  int of_16 = 0;
};

struct AttentionPlan {
  int cluster = 8;  ///< blocks: 8 or 16
  int helpers = 0;
};

/// Below, the exchange costs more than the helpers gain. The warps of a cluster of 8 have two tiles each at 2048; a
/// cluster of 16 has twice the warps, and fewer helpers.
constexpr int attention_split_position(int cluster) { return cluster == 8 ? 2048 : 6144; }

/// One cluster of the largest size a KV head, or what puts more SMs to work in one wave: of the same number of SMs,
/// fewer helpers. `cluster`, `helpers`: what the caller insists on, whether it fits in one wave or not; 0 and -1:
/// chosen here.
constexpr AttentionPlan plan_attention(int kv_heads, const AttentionClusters& fit, int cluster = 0, int helpers = -1) {
  AttentionPlan plan{cluster ? cluster : fit.of_16 > 0 ? 16 : 8, helpers < 0 ? 0 : helpers};
  if (helpers >= 0) return plan;
  const auto blocks_at_work = [&](const AttentionPlan& candidate) {
    const int clusters = kv_heads * (1 + candidate.helpers);
    return clusters <= (candidate.cluster == 8 ? fit.of_8 : fit.of_16) ? clusters * candidate.cluster : 0;
  };
  for (int more = 1; more <= kMaxAttentionHelpers; ++more) {
    for (const int size : {16, 8}) {
      if (cluster && size != cluster) continue;
      if (blocks_at_work({size, more}) > blocks_at_work(plan)) plan = {size, more};
    }
  }
  return plan;
}

}  // namespace specthink
