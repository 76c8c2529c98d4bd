// The value of one element of a random matrix, on the host and on the device.
#pragma once

#include <cstdint>

#include "specthink/base/host_device.h"

namespace specthink::inline kernels {

/// SplitMix64's output function (Steele, Lea, Flood 2014): every bit of the result depends on every bit of `x`.
SPECTHINK_HOST_DEVICE inline std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

/// Uniform in (-1, 1): 24 bits, centred, so that the float is exact.
SPECTHINK_HOST_DEVICE inline float random_value(std::uint64_t key, std::uint64_t index) {
  const auto bits = static_cast<std::int32_t>(mix(key ^ mix(index)) >> 40);  // 0 … 2^24 - 1
  return static_cast<float>(2 * bits + 1 - (1 << 24)) * (1.0f / (1 << 24));
}

}  // namespace specthink::inline kernels
