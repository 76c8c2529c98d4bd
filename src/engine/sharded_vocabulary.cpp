#include "engine/sharded_vocabulary.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "specthink/base/error.h"

namespace specthink::inline engine {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

/// `values` on the device, padded to `count` so that all ranks gather the same shape.
at::Tensor padded(const at::Tensor& values, std::int64_t count, float padding) {
  if (values.size(0) == count) return values.contiguous();
  at::Tensor result = at::full({count}, padding, values.options());
  result.narrow(0, 0, values.size(0)).copy_(values);
  return result;
}

/// The `count` highest logits of each row of this shard and their ids as floats (exact below 2^24), [2, rows, count].
at::Tensor best_of_shard(const at::Tensor& logits, const ShardPlan& plan, std::int64_t count) {
  at::Tensor best = at::full({2, logits.size(0), count}, kNever, logits.options());
  best[1].fill_(-1);
  const std::int64_t there = std::min(count, logits.size(1));
  if (there == 0) return best;
  // Unlike topk, max names the first of equal values.
  const auto [values, indices] = count == 1 ? logits.max(1, /*keepdim=*/true) : logits.topk(there, 1);
  best[0].narrow(1, 0, there).copy_(values);
  best[1].narrow(1, 0, there).copy_(indices + plan.first_vocab);
  return best;
}

/// Columns of this shard with ids below `vocab_size`.
std::int64_t num_valid(const at::Tensor& logits, const ShardPlan& plan, std::int64_t vocab_size) {
  check(vocab_size < (1 << 24), "ids that a float does not hold");
  return std::clamp<std::int64_t>(vocab_size - plan.first_vocab, 0, logits.size(-1));
}

}  // namespace

std::optional<std::int64_t> candidates_needed(const SamplingParams& sampling) {
  if (sampling.temperature == 0) return 1;
  return sampling.top_k > 0 ? std::optional<std::int64_t>(sampling.top_k) : std::nullopt;
}

std::vector<std::vector<Candidate>> gather_best(const at::Tensor& logits, const ShardPlan& plan,
                                                std::int64_t vocab_size, std::int64_t count, Collectives& collectives) {
  count = std::min(count, plan.vocab_local);
  const at::Tensor local = logits.narrow(1, 0, num_valid(logits, plan, vocab_size));
  const at::Tensor all = collectives.all_gather(best_of_shard(local, plan, count)).cpu();  // [ranks, 2, rows, count]
  const auto table = all.accessor<float, 4>();
  std::vector<std::vector<Candidate>> candidates(static_cast<std::size_t>(logits.size(0)));
  for (int rank = 0; rank < plan.ranks; ++rank) {
    for (std::int64_t row = 0; row < logits.size(0); ++row) {
      for (std::int64_t i = 0; i < count; ++i) {
        const float id = table[rank][1][row][i];
        if (id < 0) continue;
        candidates[static_cast<std::size_t>(row)].push_back({static_cast<TokenId>(id), table[rank][0][row][i]});
      }
    }
  }
  return candidates;
}

std::vector<Candidate> gather_candidates(const at::Tensor& logits, const ShardPlan& plan, std::int64_t vocab_size,
                                         const SamplingParams& sampling, Collectives& collectives) {
  if (const std::optional<std::int64_t> count = candidates_needed(sampling)) {
    return gather_best(logits.unsqueeze(0), plan, vocab_size, *count, collectives).front();
  }
  const at::Tensor local = logits.narrow(0, 0, num_valid(logits, plan, vocab_size));
  const at::Tensor all = collectives.all_gather(padded(local, plan.vocab_local, kNever)).cpu();  // [ranks, vocab_local]
  const auto* value = all.const_data_ptr<float>();
  std::vector<Candidate> candidates;
  candidates.reserve(static_cast<std::size_t>(vocab_size));
  for (std::int64_t id = 0; id < vocab_size; ++id) candidates.push_back({static_cast<TokenId>(id), value[id]});
  return candidates;
}

std::vector<float> gather_margins(const at::Tensor& logits, const ShardPlan& plan, Collectives& collectives) {
  const std::int64_t rows = logits.size(0);
  // Each shard contributes its two highest logits and the sum of exponentials relative to the first.
  at::Tensor local = at::full({3, rows}, kNever, logits.options());
  local[2].zero_();
  if (logits.size(1) > 0) {
    const std::int64_t count = std::min<std::int64_t>(2, logits.size(1));
    const at::Tensor best = std::get<0>(logits.topk(count, 1));
    local.narrow(0, 0, count).copy_(best.t());
    local[2].copy_((logits - best.narrow(1, 0, 1)).exp_().sum(1));
  }
  const at::Tensor all = collectives.all_gather(local).cpu();  // [ranks, 3, rows]
  const auto table = all.accessor<float, 3>();
  std::vector<float> margins;
  for (std::int64_t row = 0; row < rows; ++row) {
    double first = kNever;
    double second = kNever;
    for (int rank = 0; rank < plan.ranks; ++rank) {
      for (int i = 0; i < 2; ++i) {
        const double logit = table[rank][i][row];
        second = std::max(second, std::min(first, logit));
        first = std::max(first, logit);
      }
    }
    double sum = 0;
    for (int rank = 0; rank < plan.ranks; ++rank) {
      if (table[rank][2][row] > 0) sum += table[rank][2][row] * std::exp(table[rank][0][row] - first);
    }
    margins.push_back(static_cast<float>((1 - std::exp(second - first)) / sum));
  }
  return margins;
}

RowMeasure measure_row(const at::Tensor& logits, std::span<const TokenId> ids, const ShardPlan& plan,
                       std::int64_t vocab_size, Collectives& collectives) {
  constexpr double kNothing = -1e4;  // an exponent of no probability, which has a product with it
  const std::int64_t valid = std::clamp<std::int64_t>(vocab_size - plan.first_vocab, 0, logits.size(0));
  const auto count = static_cast<std::int64_t>(ids.size());
  // Each shard contributes its highest logit, the sum of weights relative to it, that of the weights' products with
  // their exponents, and the wanted logits that it has.
  at::Tensor local = at::full({3 + count}, kNever, logits.options());
  local.narrow(0, 1, 2).zero_();
  if (valid > 0) {
    const at::Tensor own = logits.narrow(0, 0, valid);
    const at::Tensor highest = own.amax();
    const at::Tensor exponents = (own - highest).clamp_min_(kNothing);
    const at::Tensor weights = exponents.exp();
    local[0].copy_(highest);
    local[1].copy_(weights.sum());
    local[2].copy_((weights * exponents).sum());
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t column = ids[static_cast<std::size_t>(i)] - plan.first_vocab;
      if (column >= 0 && column < valid) local[3 + i].copy_(own[column]);
    }
  }
  const at::Tensor all = collectives.all_gather(local).cpu();  // [ranks, 3 + count]
  const auto table = all.accessor<float, 2>();
  double highest = kNever;
  for (int rank = 0; rank < plan.ranks; ++rank) highest = std::max<double>(highest, table[rank][0]);
  double sum = 0;
  double weighted = 0;
  for (int rank = 0; rank < plan.ranks; ++rank) {
    if (table[rank][1] == 0) continue;
    const double shift = table[rank][0] - highest;
    sum += table[rank][1] * std::exp(shift);
    weighted += (table[rank][2] + shift * table[rank][1]) * std::exp(shift);
  }
  RowMeasure measure;
  measure.entropy = static_cast<float>(std::log(sum) - weighted / sum);
  for (std::int64_t i = 0; i < count; ++i) {
    double wanted = kNever;
    for (int rank = 0; rank < plan.ranks; ++rank) wanted = std::max<double>(wanted, table[rank][3 + i]);
    measure.logprobs.push_back(static_cast<float>(wanted - highest - std::log(sum)));
  }
  return measure;
}

std::vector<float> gather_logprobs(const at::Tensor& logits, std::span<const TokenId> ids, const ShardPlan& plan,
                                   Collectives& collectives) {
  const auto rows = static_cast<std::int64_t>(ids.size());
  // Each shard contributes its highest logit, the sum of exponentials relative to it, and the wanted logit if it has
  // it.
  at::Tensor local = at::full({3, rows}, kNever, logits.options());
  local[1].zero_();
  if (logits.size(1) > 0) {
    const at::Tensor highest = logits.amax(1);
    local[0].copy_(highest);
    local[1].copy_((logits - highest.unsqueeze(1)).exp_().sum(1));
    std::vector<std::int64_t> columns(ids.begin(), ids.end());
    const at::Tensor column = at::tensor(at::ArrayRef<std::int64_t>(columns)).to(logits.device()) - plan.first_vocab;
    const at::Tensor elsewhere = at::logical_or(column < 0, column >= logits.size(1));
    const at::Tensor wanted = logits.gather(1, column.clamp(0, logits.size(1) - 1).unsqueeze(1)).squeeze(1);
    local[2].copy_(wanted.masked_fill(elsewhere, kNever));
  }
  const at::Tensor all = collectives.all_gather(local).cpu();  // [ranks, 3, rows]
  const auto table = all.accessor<float, 3>();
  std::vector<float> logprobs(ids.size());
  for (std::int64_t row = 0; row < rows; ++row) {
    double highest = kNever;
    for (int rank = 0; rank < plan.ranks; ++rank) highest = std::max<double>(highest, table[rank][0][row]);
    double sum = 0;
    double wanted = kNever;
    for (int rank = 0; rank < plan.ranks; ++rank) {
      if (table[rank][1][row] > 0) sum += table[rank][1][row] * std::exp(table[rank][0][row] - highest);
      wanted = std::max<double>(wanted, table[rank][2][row]);
    }
    logprobs[static_cast<std::size_t>(row)] = static_cast<float>(wanted - highest - std::log(sum));
  }
  return logprobs;
}

}  // namespace specthink::inline engine
