// Which part of each weight a rank holds. Pure arithmetic.
#pragma once

#include <cstdint>
#include <vector>

#include "specthink/kernels/model_description.h"

namespace specthink::inline model {

/// Rank r of N has query heads [r·h/N, (r+1)·h/N) and every KV head that they use (a KV head may live on several
/// ranks). Intermediate size and vocabulary are padded with zeros to a multiple of N, then split evenly; a rank whose
/// part lies in the padding altogether starts behind the last real row.
struct ShardPlan {
  int rank = 0;
  int ranks = 1;
  std::int64_t first_head = 0;
  std::int64_t num_heads_local = 0;
  std::int64_t first_kv_head = 0;
  std::int64_t num_kv_heads_local = 0;   ///< not the same on every rank: 2 KV heads on 3 ranks are 1, 2, 1
  std::vector<std::int64_t> kv_head_of;  ///< [num_heads_local]: local KV head of each local query head
  std::int64_t first_intermediate = 0;
  std::int64_t intermediate_local = 0;  ///< padding included
  std::int64_t first_vocab = 0;
  std::int64_t vocab_local = 0;  ///< padding included

  /// Throws UserError when `ranks` does not divide the query heads.
  ShardPlan(const ModelDescription& model, int rank, int ranks);

  /// True when every local KV head serves the same number of consecutive query heads.
  bool uniform_groups() const;

  /// What this rank holds, as a model of its own: fewer heads, feed-forward columns and rows of the vocabulary, their
  /// padding included. Its parameters are the rank's: the replicated vectors (the norms, the bias of the output
  /// projection) count in full.
  ModelDescription part_of(const ModelDescription& model) const;
};

}  // namespace specthink::inline model
