// Candidates as keys that compare as (logit, then smaller id), and how ranks hand them to each other.
#pragma once

#include <cstdint>

#include "kernels/decode/sampling.h"
#include "kernels/device/ptx.cuh"
#include "kernels/exchange/exchange.cuh"

namespace specthink::inline kernels {

constexpr CandidateKey kNoKey = 0;
constexpr CandidateKey kNotYetKey = ~CandidateKey{0};
constexpr std::uint32_t kNanBits = 0xfffffffeu;  // above every number, below kNotYetKey

__device__ __forceinline__ CandidateKey make_key(float logit, std::uint32_t id) {
  const std::uint32_t bits = __float_as_uint(logit + 0.0f);  // -0 and 0 are equal logits
  const std::uint32_t ordered = isnan(logit) ? kNanBits : bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return static_cast<CandidateKey>(ordered) << 32 | (0xffffffffu - id);
}
__device__ __forceinline__ std::int32_t id_of(CandidateKey key) {
  return static_cast<std::int32_t>(0xffffffffu - static_cast<std::uint32_t>(key));
}
__device__ __forceinline__ bool is_nan(CandidateKey key) { return key >> 32 == kNanBits; }
__device__ __forceinline__ float logit_of(CandidateKey key) {
  const auto ordered = static_cast<std::uint32_t>(key >> 32);
  return __uint_as_float(ordered & 0x80000000u ? ordered & 0x7fffffffu : ~ordered);
}

/// Waits for a word of another rank and takes it away.
__device__ __forceinline__ std::uint64_t receive_word(CandidateKey* from, SpinClock& clock) {
  std::uint64_t word = ptx::load_system_8(from);
  while (word == kNotYetKey) {
    if (clock.expired()) {
      word = kNoKey;
      break;
    }
    word = ptx::load_system_8(from);
  }
  ptx::store_system(from, kNotYetKey);
  return word;
}

}  // namespace specthink::inline kernels
