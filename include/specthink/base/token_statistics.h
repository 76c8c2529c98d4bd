// What an answer says of each of its tokens, where that is asked for.
#pragma once

#include <limits>

namespace specthink::inline base {

/// The log-probability of a token that nothing was measured of: no comparison with it holds.
inline constexpr float kNotMeasured = std::numeric_limits<float>::quiet_NaN();

/// Of one token, in nats. The raw distribution is the model's own, at temperature 1 and without a cut, over the ids
/// that can be sampled.
struct TokenStatistics {
  float logprob = 0;            ///< of the token in the raw distribution
  float entropy = 0;            ///< of the raw distribution
  float processed_entropy = 0;  ///< of the distribution that the token was drawn from: temperature, top-k, top-p
};

}  // namespace specthink::inline base
