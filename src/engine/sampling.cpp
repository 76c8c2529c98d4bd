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

/// What sample() draws from: the candidates that top_k and top_p keep, and the highest logit.
struct Kept {
  std::span<Candidate> candidates;
  float highest = 0;

  /// The exponent of a weight, and a log-probability but for a constant.
  double exponent(const Candidate& candidate, const SamplingParams& params) const {
    return (static_cast<double>(candidate.logit) - highest) / params.temperature;
  }
};

Kept keep(std::span<Candidate> candidates, const SamplingParams& params) {
  if (params.top_k > 0 && static_cast<std::size_t>(params.top_k) < candidates.size()) {
    const auto kept = static_cast<std::size_t>(params.top_k);
    sort_first(candidates, kept);
    candidates = candidates.first(kept);
  }
  Kept result{candidates, std::min_element(candidates.begin(), candidates.end(), more_probable)->logit};
  if (params.top_p >= 1) return result;
  std::vector<double> weights(candidates.size());
  const auto weight = [&](const Candidate& candidate) { return std::exp(result.exponent(candidate, params)); };
  std::transform(candidates.begin(), candidates.end(), weights.begin(), weight);
  const double total = sum_of(weights.data(), static_cast<int>(weights.size()));
  // The nucleus is small nearly always: sort a few, and all only when they do not reach top_p.
  for (std::size_t sorted = 64;; sorted *= 16) {
    sort_first(candidates, sorted);
    std::transform(candidates.begin(), candidates.end(), weights.begin(), weight);
    const std::size_t looked_at = std::min(sorted, candidates.size());
    const int kept = nucleus_size(weights.data(), static_cast<int>(looked_at), total, params.top_p);
    if (kept == 0 && looked_at < candidates.size()) continue;
    if (kept > 0) result.candidates = candidates.first(static_cast<std::size_t>(kept));
    return result;
  }
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

  const Kept kept = keep(candidates, params);
  const auto score = [&](const Candidate& candidate) {
    return kept.exponent(candidate, params) + gumbel_noise(key.draw.seed, key.position, key.draw.problem, key.draw.run,
                                                           static_cast<std::uint32_t>(key.purpose),
                                                           static_cast<std::uint32_t>(candidate.id));
  };
  TokenId chosen = kept.candidates.front().id;
  double best = score(kept.candidates.front());
  for (const Candidate& candidate : kept.candidates.subspan(1)) {
    const double own = score(candidate);
    if (!is_better(own, candidate.id, best, chosen)) continue;
    chosen = candidate.id;
    best = own;
  }
  return chosen;
}

float processed_entropy(std::span<Candidate> candidates, const SamplingParams& params) {
  if (params.temperature == 0) return 0;
  const Kept kept = keep(candidates, params);
  double sum = 0;
  double weighted = 0;
  for (const Candidate& candidate : kept.candidates) {
    const double exponent = kept.exponent(candidate, params);
    if (std::isinf(exponent)) continue;
    sum += std::exp(exponent);
    weighted += std::exp(exponent) * exponent;
  }
  return static_cast<float>(std::log(sum) - weighted / sum);
}

}  // namespace specthink::inline engine
