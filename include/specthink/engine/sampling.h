// Choosing a token from logits: temperature, then top-k, then top-p, as vLLM applies them. Pure logic.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "specthink/base/purpose.h"
#include "specthink/base/sampling_params.h"
#include "specthink/base/types.h"

namespace specthink::inline engine {

struct Candidate {
  TokenId id;
  float logit;
};

/// Names the noise of one position. Together with the logits this decides the token, whoever else proposes it and in
/// whatever step it is computed.
struct NoiseKey {
  DrawKey draw;
  Purpose purpose = Purpose::segment;
  std::uint32_t position = 0;  ///< of the token that is chosen
};

/// Of `candidates` that top_k and top_p keep, the one with the greatest log-probability plus Gumbel noise, which draws
/// from their distribution (kernels/sampling_rule.h); with temperature 0 the most probable one. `candidates` are the
/// whole vocabulary, or any part of it that holds the top_k highest logits; reordered. Among equals the smaller id
/// counts as the greater. top_p keeps the smallest set of the most probable tokens whose probability, renormalised
/// after top_k, reaches top_p. Throws UserError for logits that are not numbers.
TokenId sample(std::span<Candidate> candidates, const SamplingParams& params, const NoiseKey& key);

/// Entropy in nats of the distribution that sample() draws from: over the candidates that it keeps, renormalised.
/// Reorders the candidates.
float processed_entropy(std::span<Candidate> candidates, const SamplingParams& params);

}  // namespace specthink::inline engine
