// What a decode step reads and writes on the device instead of asking the host: the state of one sequence's request.
#pragma once

#include <cstdint>

namespace specthink {

constexpr int kMaxStepRows = 16;  ///< rows of a step
constexpr int kMaxEosIds = 16;
constexpr int kMaxCandidates = 64;  ///< top_k that the device samples from

struct RequestState {
  // The rows of the next step: `rows` consecutive tokens of the sequence, the first at `position`. The caches hold all
  // earlier positions.
  std::int32_t tokens[kMaxStepRows];
  std::int32_t position;
  std::int32_t rows;

  std::int32_t left;         ///< tokens that may still be emitted
  std::uint32_t stopped;     ///< 1: steps emit nothing more
  std::uint32_t serial;      ///< of the next emitted token, modulo 2^24
  std::uint32_t stop_state;  ///< of the matcher over triggers
  std::uint32_t stop_at_trigger;
  const std::uint16_t* stop_entries;  ///< [states, stop_vocab]: next state, top bit: matched
  std::int64_t stop_vocab;            ///< ids without an entry leave the state as it is

  float temperature;  ///< 0 is greedy
  float top_p;
  std::int32_t top_k;  ///< 1 to kMaxCandidates

  // The key of the random draws (engine/sampling.h).
  std::uint64_t seed;
  std::uint32_t problem;
  std::uint32_t run;
  std::uint32_t purpose;

  std::int32_t num_eos;
  std::int32_t eos[kMaxEosIds];
};

/// What a step tells the host: one word, so that it arrives whole.
enum class StepEnd : std::uint32_t { none = 0, length = 1, eos = 2, trigger = 3, bad_logits = 4, lost_rank = 5 };

struct StepResult {
  std::int32_t token;
  StepEnd end;
  std::uint32_t serial;
};

constexpr std::uint32_t kSerialMask = 0xffffffu;

constexpr std::uint64_t encode_result(std::int32_t token, StepEnd end, std::uint32_t serial) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(token)) |
         static_cast<std::uint64_t>(static_cast<std::uint32_t>(end)) << 32 |
         static_cast<std::uint64_t>(serial & kSerialMask) << 40;
}
constexpr StepResult decode_result(std::uint64_t word) {
  return {static_cast<std::int32_t>(word & 0xffffffffu), static_cast<StepEnd>(word >> 32 & 0xff),
          static_cast<std::uint32_t>(word >> 40)};
}

}  // namespace specthink
