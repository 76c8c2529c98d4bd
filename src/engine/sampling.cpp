#include "specthink/engine/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "specthink/base/error.h"

namespace specthink {
namespace {

bool more_probable(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

/// Sorts the first `count` candidates to the front, most probable first.
void sort_first(std::span<Candidate> candidates, std::size_t count) {
  std::partial_sort(candidates.begin(),
                    candidates.begin() + static_cast<std::ptrdiff_t>(std::min(count, candidates.size())),
                    candidates.end(), more_probable);
}

/// Number of leading candidates (sorted) whose weights reach `share` of `total`; 0 when they do not.
std::size_t nucleus(std::span<const double> weights, double total, double share) {
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    sum += weights[i];
    if (sum >= share * total) return i + 1;
  }
  return 0;
}

}  // namespace

PhiloxBlock philox(const PhiloxBlock& counter, std::uint64_t key) {
  PhiloxBlock block = counter;
  auto key_low = static_cast<std::uint32_t>(key);
  auto key_high = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * block.words[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * block.words[2];
    block = {
        {static_cast<std::uint32_t>(product1 >> 32) ^ block.words[1] ^ key_low, static_cast<std::uint32_t>(product1),
         static_cast<std::uint32_t>(product0 >> 32) ^ block.words[3] ^ key_high, static_cast<std::uint32_t>(product0)}};
    key_low += 0x9E3779B9u;
    key_high += 0xBB67AE85u;
  }
  return block;
}

double uniform(const DrawKey& key, std::uint32_t position, Purpose purpose) {
  const PhiloxBlock block = philox({{position, static_cast<std::uint32_t>(purpose), key.problem, key.run}}, key.seed);
  const std::uint64_t bits = (std::uint64_t{block.words[0]} << 32 | block.words[1]) >> 11;  // as many as a double holds
  return static_cast<double>(bits) * 0x1p-53;
}

TokenId sample(std::span<Candidate> candidates, const SamplingParams& params, double draw) {
  check(!candidates.empty(), "sampling from no candidates");
  for (const Candidate& candidate : candidates) {
    if (std::isnan(candidate.logit))
      throw UserError(
          "the model's logits are not numbers: its weights are broken, or the compute type overflows (try --dtype "
          "float32)");
  }
  if (params.temperature == 0) return std::min_element(candidates.begin(), candidates.end(), more_probable)->id;

  if (params.top_k > 0 && static_cast<std::size_t>(params.top_k) < candidates.size()) {
    const auto kept = static_cast<std::size_t>(params.top_k);
    sort_first(candidates, kept);
    candidates = candidates.first(kept);
  }
  const float highest = std::min_element(candidates.begin(), candidates.end(), more_probable)->logit;
  const auto weight = [&](const Candidate& candidate) {
    return std::exp((static_cast<double>(candidate.logit) - highest) / params.temperature);
  };
  std::vector<double> weights(candidates.size());
  std::transform(candidates.begin(), candidates.end(), weights.begin(), weight);
  double total = 0;
  for (const double w : weights) total += w;

  if (params.top_p < 1) {
    // The nucleus is small nearly always: sort a few, and all only when they do not reach top_p.
    for (std::size_t sorted = 64;; sorted *= 16) {
      sort_first(candidates, sorted);
      std::transform(candidates.begin(), candidates.end(), weights.begin(), weight);
      const std::size_t looked_at = std::min(sorted, candidates.size());
      const std::size_t kept = nucleus(std::span(weights).first(looked_at), total, params.top_p);
      if (kept == 0 && looked_at < candidates.size()) continue;
      if (kept > 0) candidates = candidates.first(kept);
      break;
    }
    total = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i) total += weights[i];
  }

  double left = draw * total;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    left -= weights[i];
    if (left < 0) return candidates[i].id;
  }
  // Rounding can leave a trace behind the last candidate: the last one that can occur at all.
  for (std::size_t i = candidates.size(); i-- > 0;) {
    if (weights[i] > 0) return candidates[i].id;
  }
  return candidates.front().id;
}

}  // namespace specthink
