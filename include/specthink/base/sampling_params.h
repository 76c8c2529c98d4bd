// How a token is chosen from logits, and by which random draw: the same structs from the settings to the kernels.
#pragma once

#include <cstdint>

namespace specthink::inline base {

/// Applied as vLLM does: temperature, then top_k, then top_p over what is left, renormalised.
struct SamplingParams {
  float temperature = 0;   ///< 0 is greedy: the most probable token, whatever the others say
  float top_p = 1;         ///< keeps the smallest set of the most probable tokens that reaches this share; 1 is off
  std::int32_t top_k = 0;  ///< keeps so many of the most probable tokens; 0 is off
};

/// Names the random draws of a run. Together with position and purpose this is all that a token depends on besides the
/// logits, so a run can be replayed.
struct DrawKey {
  std::uint64_t seed = 0;
  std::uint32_t problem = 0;
  std::uint32_t run = 0;
};

}  // namespace specthink::inline base
