#include "specthink/engine/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "specthink/base/error.h"
#include "specthink/kernels/sampling_rule.h"

namespace specthink::inline engine {
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

}  // namespace

TokenId sample(std::span<Candidate> candidates, const SamplingParams& params, const NoiseKey& key) {
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
  // The exponent of a weight, and a log-probability but for a constant.
  const auto exponent = [&](const Candidate& candidate) {
    return (static_cast<double>(candidate.logit) - highest) / params.temperature;
  };
  if (params.top_p < 1) {
    std::vector<double> weights(candidates.size());
    const auto weight = [&](const Candidate& candidate) { return std::exp(exponent(candidate)); };
    std::transform(candidates.begin(), candidates.end(), weights.begin(), weight);
    const double total = sum_of(weights.data(), static_cast<int>(weights.size()));
    // The nucleus is small nearly always: sort a few, and all only when they do not reach top_p.
    for (std::size_t sorted = 64;; sorted *= 16) {
      sort_first(candidates, sorted);
      std::transform(candidates.begin(), candidates.end(), weights.begin(), weight);
      const std::size_t looked_at = std::min(sorted, candidates.size());
      const int kept = nucleus_size(weights.data(), static_cast<int>(looked_at), total, params.top_p);
      if (kept == 0 && looked_at < candidates.size()) continue;
      if (kept > 0) candidates = candidates.first(static_cast<std::size_t>(kept));
      break;
    }
  }

  const auto score = [&](const Candidate& candidate) {
    return exponent(candidate) + gumbel_noise(key.draw.seed, key.position, key.draw.problem, key.draw.run,
                                              static_cast<std::uint32_t>(key.purpose),
                                              static_cast<std::uint32_t>(candidate.id));
  };
  TokenId chosen = candidates.front().id;
  double best = score(candidates.front());
  for (const Candidate& candidate : candidates.subspan(1)) {
    const double own = score(candidate);
    if (!is_better(own, candidate.id, best, chosen)) continue;
    chosen = candidate.id;
    best = own;
  }
  return chosen;
}

}  // namespace specthink::inline engine
