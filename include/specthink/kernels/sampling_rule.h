// What decides a token, the same on the host and on the device: random draws, top-p over sorted weights, the choice,
// and the bit of a trigger table that says "matched". Sums are taken in the order of the arguments.
#pragma once

#include <cstdint>

#include "specthink/kernels/host_device.h"

namespace specthink {

constexpr std::uint16_t kStopMatched = 0x8000;  ///< top bit of an entry of a trigger table; the others: next state

/// Four 32-bit words of Philox 4x32-10 (Salmon et al. 2011).
struct PhiloxBlock {
  std::uint32_t words[4];
};

SPECTHINK_HOST_DEVICE inline PhiloxBlock philox(const PhiloxBlock& counter, std::uint64_t key) {
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

/// Uniform in [0, 1), with as many bits as a double holds: the seed is the key, the other arguments the counter.
SPECTHINK_HOST_DEVICE inline double uniform_draw(std::uint64_t seed, std::uint32_t position, std::uint32_t purpose,
                                                 std::uint32_t problem, std::uint32_t run) {
  const PhiloxBlock block = philox({{position, purpose, problem, run}}, seed);
  const std::uint64_t bits = (std::uint64_t{block.words[0]} << 32 | block.words[1]) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

SPECTHINK_HOST_DEVICE inline double sum_of(const double* weights, int count) {
  double total = 0;
  for (int i = 0; i < count; ++i) total += weights[i];
  return total;
}

/// Number of leading weights that reach `share` of `total`; 0 when they do not.
SPECTHINK_HOST_DEVICE inline int nucleus_size(const double* weights, int count, double total, double share) {
  double sum = 0;
  for (int i = 0; i < count; ++i) {
    sum += weights[i];
    if (sum >= share * total) return i + 1;
  }
  return 0;
}

/// Which of the weights, of this total, a draw in [0, 1) selects.
SPECTHINK_HOST_DEVICE inline int select_by_draw(const double* weights, int count, double total, double draw) {
  double left = draw * total;
  for (int i = 0; i < count; ++i) {
    left -= weights[i];
    if (left < 0) return i;
  }
  // Rounding can leave a trace behind the last weight: the last one that can occur at all.
  while (count > 1 && weights[count - 1] == 0) --count;
  return count - 1;
}

/// Which of the weights, the greatest first, a draw in [0, 1) selects within the nucleus of `top_p`.
SPECTHINK_HOST_DEVICE inline int select_of_nucleus(const double* weights, int count, double top_p, double draw) {
  double total = sum_of(weights, count);
  if (top_p < 1) {
    const int kept = nucleus_size(weights, count, total, top_p);
    if (kept > 0) count = kept;
    total = sum_of(weights, count);
  }
  return select_by_draw(weights, count, total, draw);
}

}  // namespace specthink
