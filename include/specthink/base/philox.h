// Counter-based random numbers: Philox 4x32-10 (Salmon et al. 2011), the same on the host and on the device.
#pragma once

#include <cstdint>

#include "specthink/base/host_device.h"

namespace specthink::inline base {

/// Four 32-bit words, of a counter or of what it becomes.
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

/// The block of a draw of a run: the seed is the key; position, problem, the run with the purpose in its three top
/// bits, and the token id are the counter.
SPECTHINK_HOST_DEVICE inline PhiloxBlock draw_block(std::uint64_t seed, std::uint32_t position, std::uint32_t problem,
                                                    std::uint32_t run, std::uint32_t purpose, std::uint32_t token) {
  constexpr int kRunBits = 29;  // the purpose has the three above
  const std::uint32_t run_and_purpose = (run & ((1u << kRunBits) - 1)) | purpose << kRunBits;
  return philox({{position, problem, run_and_purpose, token}}, seed);
}

/// A number in the open interval (0, 1), with 52 bits.
SPECTHINK_HOST_DEVICE inline double uniform_of(const PhiloxBlock& block) {
  const std::uint64_t bits = (std::uint64_t{block.words[0]} << 32 | block.words[1]) >> 12;
  return (static_cast<double>(bits) + 0.5) * 0x1p-52;
}

}  // namespace specthink::inline base
