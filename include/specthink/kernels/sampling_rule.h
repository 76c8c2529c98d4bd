// What decides a token, the same on the host and on the device: noise, the end of top-p over sorted weights, the order
// of scores, and the bit of a trigger table that says "matched". Sums are taken in the order of the arguments.
#pragma once

#include <cmath>
#include <cstdint>

#include "specthink/base/host_device.h"
#include "specthink/base/philox.h"

namespace specthink::inline kernels {

constexpr std::uint16_t kStopMatched = 0x8000;  ///< top bit of an entry of a trigger table; the others: next state

/// Standard Gumbel noise of a token at a position, -log(-log u): the seed is the key, everything else the counter. u
/// lies in the open interval (0, 1) and has 52 bits. Adding it to the log-probabilities and taking the greatest sum
/// draws from the distribution, and models of nearly equal distributions mostly take the same token.
SPECTHINK_HOST_DEVICE inline double gumbel_noise(std::uint64_t seed, std::uint32_t position, std::uint32_t problem,
                                                 std::uint32_t run, std::uint32_t purpose, std::uint32_t token) {
  return -log(-log(uniform_of(draw_block(seed, position, problem, run, purpose, token))));
}

SPECTHINK_HOST_DEVICE inline double sum_of(const double* weights, int count) {
  double total = 0;
  for (int i = 0; i < count; ++i) total += weights[i];
  return total;
}

/// Whether top-p ends with the weight by which the sum has become `sum`.
SPECTHINK_HOST_DEVICE inline bool reaches_share(double sum, double total, double share) { return sum >= share * total; }

/// Number of leading weights that reach `share` of `total`; 0 when they do not.
SPECTHINK_HOST_DEVICE inline int nucleus_size(const double* weights, int count, double total, double share) {
  double sum = 0;
  for (int i = 0; i < count; ++i) {
    sum += weights[i];
    if (reaches_share(sum, total, share)) return i + 1;
  }
  return 0;
}

/// Whether a token with this score is taken rather than the other one: the smaller id of equal scores.
SPECTHINK_HOST_DEVICE inline bool is_better(double score, std::int32_t id, double other_score, std::int32_t other_id) {
  return score > other_score || (score == other_score && id < other_id);
}

}  // namespace specthink::inline kernels
