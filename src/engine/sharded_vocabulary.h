// From logits that are sharded over the vocabulary to what a rank needs of all of them. Collective.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "specthink/comm/collectives.h"
#include "specthink/engine/sampling.h"
#include "specthink/model/shard_plan.h"

namespace specthink::inline engine {

/// Candidates for sample(), the same on every rank: the best of each shard when greedy or with top_k, else all ids.
/// `logits`: [n] float32, ids from plan.first_vocab on. Ids from `vocab_size` on are left out.
std::vector<Candidate> gather_candidates(const at::Tensor& logits, const ShardPlan& plan, std::int64_t vocab_size,
                                         const SamplingParams& sampling, Collectives& collectives);

/// log softmax(logits)[row, ids[row]] over the whole vocabulary. `logits`: [rows, n] float32.
std::vector<float> gather_logprobs(const at::Tensor& logits, std::span<const TokenId> ids, const ShardPlan& plan,
                                   Collectives& collectives);

}  // namespace specthink::inline engine
