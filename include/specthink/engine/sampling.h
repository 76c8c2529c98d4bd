// Choosing a token from logits: temperature, then top-k, then top-p, as vLLM applies them. Pure logic.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "specthink/base/purpose.h"
#include "specthink/base/sampling_params.h"
#include "specthink/base/types.h"

namespace specthink {

struct Candidate {
  TokenId id;
  float logit;
};

/// Names one random number; see uniform(). Together with seed, problem and run this is all that a token depends on
/// besides the logits, so a run can be replayed.
struct DrawKey {
  std::uint64_t seed = 0;
  std::uint32_t problem = 0;
  std::uint32_t run = 0;
};

/// Uniform in [0, 1), from Philox 4x32-10 (Salmon et al. 2011) with the seed as key and (position, purpose, problem,
/// run) as counter.
double uniform(const DrawKey& key, std::uint32_t position, Purpose purpose);

/// The token that `draw` in [0, 1) selects. `candidates` are the whole vocabulary, or any part of it that holds the
/// top_k highest logits; reordered. Among equal logits the smaller id comes first. top_p keeps the smallest set of the
/// most probable tokens whose probability, renormalised after top_k, reaches top_p.
TokenId sample(std::span<Candidate> candidates, const SamplingParams& params, double draw);

}  // namespace specthink
