// From logits that are sharded over the vocabulary to what a rank needs of all of them. Collective.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "specthink/comm/collectives.h"
#include "specthink/engine/sampling.h"
#include "specthink/model/shard_plan.h"

namespace specthink::inline engine {

/// Of each shard so many candidates are enough for sample(); none: all ids are candidates.
std::optional<std::int64_t> candidates_needed(const SamplingParams& sampling);

/// The `count` best candidates of each shard for each row, the same on every rank. `logits`: [rows, n] float32, ids
/// from plan.first_vocab on. Ids from `vocab_size` on are left out.
std::vector<std::vector<Candidate>> gather_best(const at::Tensor& logits, const ShardPlan& plan,
                                                std::int64_t vocab_size, std::int64_t count, Collectives& collectives);

/// Candidates of one row, [n]: as many as are needed.
std::vector<Candidate> gather_candidates(const at::Tensor& logits, const ShardPlan& plan, std::int64_t vocab_size,
                                         const SamplingParams& sampling, Collectives& collectives);

/// log softmax(logits)[row, ids[row]] over the whole vocabulary. `logits`: [rows, n] float32.
std::vector<float> gather_logprobs(const at::Tensor& logits, std::span<const TokenId> ids, const ShardPlan& plan,
                                   Collectives& collectives);

/// Of each row, the probability of the likeliest token minus that of the second. `logits`: [rows, n] float32.
std::vector<float> gather_margins(const at::Tensor& logits, const ShardPlan& plan, Collectives& collectives);

/// Of the raw distribution of one row, in nats.
struct RowMeasure {
  float entropy = 0;
  std::vector<float> logprobs;  // of the ids that were asked for; that of an id that has no probability is -inf
};

/// Measures softmax(logits) over the ids below `vocab_size`. `logits`: [n] float32.
RowMeasure measure_row(const at::Tensor& logits, std::span<const TokenId> ids, const ShardPlan& plan,
                       std::int64_t vocab_size, Collectives& collectives);

}  // namespace specthink::inline engine
