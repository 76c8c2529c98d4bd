// What a decode step reads and writes on the device instead of asking the host: the state of each slot's request, the
// rows of the step, and the words in which it tells the host what it has emitted.
#pragma once

#include <cstdint>

#include "specthink/base/end_reason.h"
#include "specthink/kernels/limits.h"

namespace specthink::inline kernels {

/// The request of a slot. The host writes it between steps; in a step the one block that emits the slot's tokens does.
struct SlotState {
  std::int32_t token;                 ///< emitted last: what the next step runs, at `position`
  std::int32_t position;              ///< the cache holds all earlier ones
  std::int32_t left;                  ///< tokens that may still be emitted
  std::int32_t min_left;              ///< a trigger ends the request when at most one is left here
  std::uint32_t stopped;              ///< 1: steps emit nothing more
  std::uint32_t serial;               ///< number of the next emitted token, modulo 2^24
  std::uint32_t stop_state;           ///< where the matcher over triggers stands
  std::int32_t top_k;                 ///< 1 to kMaxCandidates
  const std::uint16_t* stop_entries;  ///< [states, stop_vocab]: next state and kStopMatched; null: no triggers
  std::int64_t stop_vocab;            ///< ids without an entry leave the state as it is
  std::int64_t vocab_limit;           ///< ids from here on are never sampled
  const std::int32_t* forced_end;     ///< end of the ids that the request emits whatever is sampled; null: none
  float temperature;                  ///< 0 is greedy
  float top_p;

  // The key of the random draws (kernels/sampling_rule.h).
  std::uint64_t seed;
  std::uint32_t problem;
  std::uint32_t run;
  std::uint32_t purpose;

  std::int32_t stop_token_plus_1;  ///< ends the request wherever it stands; 0: none does
  std::uint32_t measures;          ///< 1: the raw distribution is measured
  float max_entropy;               ///< of it, where it is measured: a token of more ends the request

  std::int32_t num_eos;
  std::int32_t eos[kMaxEosIds];
};

/// A row of a step.
struct StepRow {
  std::int32_t slot;     ///< -1: padding
  std::int32_t entry;    ///< index of its sequence in StepLayout::entries
  std::int32_t sampled;  ///< how many rows of the sequence are sampled before it; -1: it is not sampled itself
  std::int32_t token;    ///< -1 from the host: the slot's last
};

/// The consecutive rows of one sequence; its last proposals + 1 are sampled. Read as 16 bytes at once.
struct alignas(16) StepEntry {
  std::int32_t position;  ///< where the first row stands; filled on the device, from the slot's state
  std::int32_t rows;      ///< 0: no entry
  std::int32_t first_row;
  std::int32_t slot;
};

/// The rows of a step. The host writes it between steps; a step moves its entries on, so that the next one runs the
/// tokens that it has emitted.
struct StepLayout {
  StepEntry entries[kMaxBatchRows];
  std::int32_t proposals[kMaxBatchRows];  ///< so many of an entry's last rows are proposed
  StepRow rows[kMaxBatchRows];
};

/// `StepResult::end`: none, 1 + EndReason, or why there is no token.
constexpr std::uint32_t kNoEnd = 0;
constexpr std::uint32_t kBadLogits = 0x40;
constexpr std::uint32_t kLostRank = 0x41;
constexpr std::uint32_t end_code(EndReason reason) { return 1 + static_cast<std::uint32_t>(reason); }

/// What a step tells the host of a token: one word, so that it arrives whole.
struct StepResult {
  std::int32_t token;
  std::uint32_t end;
  bool more;  ///< the same step has emitted the next token, too
  std::uint32_t serial;
};

constexpr std::uint32_t kSerialMask = 0xffffffu;

/// Bits 0 to 31: token; 32 to 38: end; 39: more; 40 to 63: serial.
constexpr std::uint64_t encode_result(const StepResult& result) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(result.token)) |
         static_cast<std::uint64_t>(result.end) << 32 | static_cast<std::uint64_t>(result.more) << 39 |
         static_cast<std::uint64_t>(result.serial & kSerialMask) << 40;
}
constexpr StepResult decode_result(std::uint64_t word) {
  return {static_cast<std::int32_t>(word & 0xffffffffu), static_cast<std::uint32_t>(word >> 32 & 0x7f),
          (word >> 39 & 1) != 0, static_cast<std::uint32_t>(word >> 40)};
}

}  // namespace specthink::inline kernels
