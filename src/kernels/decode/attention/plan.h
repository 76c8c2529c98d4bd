// How many blocks work on each KV head in decode/attention.h: pure arithmetic.
//
// A cluster lies in one GPC, and GPCs have unequal numbers of SMs: H100s hold 7 clusters of 16 blocks at once, or 15
// of 8. Small clusters with more helpers can therefore put more SMs to work than large ones.
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>

namespace specthink::inline kernels {

constexpr int kMaxAttentionHelpers = 3;  ///< helper clusters per KV head

/// Steps of one sequence with more rows are faster like those of several, with a cluster for each eight queries instead
/// of sixteen: of one H200 8 and 16 rows of the 32B at 1K took 15.9 and 17.9 ms, and take 15.6 and 16.8.
constexpr int kMostRowsOfSequence = 4;

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

/// The size of one cluster per KV head that has all of them done first: waves times what a cluster takes, which is as
/// the inverse of its size. Of equal ones the smaller, whose waves are fewer.
constexpr int plan_main_cluster(int kv_heads, const AttentionClusters& fit) {
  if (fit.of_16 == 0 || fit.of_8 == 0) return fit.of_16 > 0 ? 16 : 8;
  const auto waves = [&](int at_once) { return (kv_heads + at_once - 1) / at_once; };
  return waves(fit.of_16) * 8 < waves(fit.of_8) * 16 ? 16 : 8;
}

/// One cluster per KV head, or what puts more SMs to work in one wave: of the same number of SMs, fewer helpers.
/// `cluster`, `helpers`: what the caller insists on, whether it fits in one wave or not; 0 and -1: chosen here.
constexpr AttentionPlan plan_attention(int kv_heads, const AttentionClusters& fit, int cluster = 0, int helpers = -1) {
  AttentionPlan plan{cluster ? cluster : plan_main_cluster(kv_heads, fit), helpers < 0 ? 0 : helpers};
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

/// Sizes of the clusters of a step of several sequences, and how many of each a GPU runs at once with an SM to a block.
constexpr std::array<int, 4> kEntryClusterSizes{8, 4, 2, 1};
using EntryClusters = std::array<int, 4>;

/// Helper clusters of a tile of queries in a step of several sequences, and of all tiles and KV heads.
constexpr int kMaxEntryHelpers = 7;
constexpr int kMaxEntryHelperClusters = 288;

/// Tiles of the context in the part of a cluster of `blocks`, at least: of shorter ones the exchange costs more than is
/// gained. Two tiles for each of the eight warps of a block.
constexpr int least_entry_part(int blocks) { return 16 * blocks; }

/// Helper clusters per KV head in a step of up to `items` tiles of queries, where a GPU runs `at_once` clusters per KV
/// head: those that no tile keeps busy, where a step has more than half of the tiles that it could have. Tiles that do
/// not all run at once take turns, which balances them but for the longest.
constexpr int plan_entry_helpers(int items, int at_once) {
  return items <= at_once ? at_once - items / 2 : at_once / 4;
}

/// Parts per KV head that the contexts of `items` tiles of queries are cut into, at most.
constexpr int most_entry_parts(int items, int at_once, int helpers) {
  return items + (items <= at_once ? (helpers < at_once - items ? helpers : at_once - items) : helpers);
}

/// Most clusters per KV head that `rows` rows of several sequences need: as many as if each row were a sequence.
/// `group`: query heads per KV head; `queries`: of a cluster.
constexpr int most_entry_clusters(int rows, int group, int queries) { return rows * ((group + queries - 1) / queries); }

/// The largest size of which `clusters` run at once: a second wave would take as long as the first.
constexpr int plan_entry_cluster(int clusters, const EntryClusters& fit) {
  for (std::size_t i = 0; i < kEntryClusterSizes.size(); ++i) {
    if (clusters <= fit[i]) return kEntryClusterSizes[i];
  }
  return 1;
}

}  // namespace specthink::inline kernels
