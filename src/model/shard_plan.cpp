#include "specthink/model/shard_plan.h"

#include <algorithm>

#include "specthink/base/error.h"

namespace specthink::inline model {
namespace {

std::int64_t divide_up(std::int64_t value, std::int64_t divisor) { return (value + divisor - 1) / divisor; }

std::string divisors(std::int64_t number) {
  std::string text;
  for (std::int64_t divisor = 1; divisor <= number; ++divisor) {
    if (number % divisor == 0) text += (text.empty() ? "" : ", ") + std::to_string(divisor);
  }
  return text;
}

}  // namespace

ShardPlan::ShardPlan(const ModelDescription& model, int rank, int ranks) : rank(rank), ranks(ranks) {
  check(ranks > 0 && rank >= 0 && rank < ranks, "a rank is one of the group");
  if (model.num_heads % ranks != 0) {
    throw UserError("{}: {} query heads (num_attention_heads) cannot be split over {} ranks; use one of {} ranks",
                    model.source, model.num_heads, ranks, divisors(model.num_heads));
  }
  const std::int64_t group = model.group_size();
  num_heads_local = model.num_heads / ranks;
  first_head = rank * num_heads_local;
  first_kv_head = first_head / group;
  num_kv_heads_local = (first_head + num_heads_local - 1) / group - first_kv_head + 1;
  for (std::int64_t head = 0; head < num_heads_local; ++head) {
    kv_head_of.push_back((first_head + head) / group - first_kv_head);
  }
  intermediate_local = divide_up(model.intermediate_size, ranks);
  first_intermediate = std::min(rank * intermediate_local, model.intermediate_size);
  vocab_local = divide_up(model.vocab_size, ranks);
  first_vocab = std::min(rank * vocab_local, model.vocab_size);
}

bool ShardPlan::uniform_groups() const {
  if (num_heads_local % num_kv_heads_local != 0) return false;
  const std::int64_t group = num_heads_local / num_kv_heads_local;
  for (std::int64_t head = 0; head < num_heads_local; ++head) {
    if (kv_head_of[head] != head / group) return false;
  }
  return true;
}

ModelDescription ShardPlan::part_of(const ModelDescription& model) const {
  ModelDescription part = model;
  part.num_heads = num_heads_local;
  part.num_kv_heads = num_kv_heads_local;
  part.intermediate_size = intermediate_local;
  part.vocab_size = vocab_local;
  return part;
}

}  // namespace specthink::inline model
