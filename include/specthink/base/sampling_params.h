// How a token is chosen from logits: one struct from the settings to the kernels.
#pragma once

#include <cstdint>

namespace specthink {

/// Applied as vLLM does: temperature, then top_k, then top_p over what is left, renormalised.
struct SamplingParams {
  float temperature = 0;   ///< 0 is greedy: the most probable token, whatever the others say
  float top_p = 1;         ///< keeps the smallest set of the most probable tokens that reaches this share; 1 is off
  std::int32_t top_k = 0;  ///< keeps so many of the most probable tokens; 0 is off
};

}  // namespace specthink
