// What rank 0 broadcasts: a fixed header, then its row works and token ids as one body.
#pragma once

#include <cstdint>
#include <type_traits>

#include "specthink/base/types.h"
#include "specthink/engine/sampling.h"
#include "specthink/engine/speculation.h"
#include "specthink/schedule/schedule.h"

namespace specthink::inline engine {

enum class Operation : std::uint32_t {
  open,
  reserve,
  evict,
  share,
  close,
  forget,
  reset,
  generate,
  score,
  install_stop_table,
  set_step_costs,
  shutdown
};

struct CommandHeader {
  Operation operation = Operation::shutdown;
  Role role = Role::target;          // generate, score
  std::int32_t slot = 0;             // all but generate
  std::int32_t num_works = 0;        // generate: RowWorks in the body
  std::int32_t max_steps = 0;        // generate: after which it ends whatever has ended; 0: no limit
  std::uint64_t payload_length = 0;  // token ids in the body, behind the works
  std::uint64_t serial = 0;
  std::int32_t max_prefill = 0;    // generate: positions of a request that are prefilled at most; 0: no limit
  std::int64_t tokens = 0;         // open: that the sequence can have; reserve: that its pages are to hold
  std::int64_t reserved = 0;       // open: that its pages hold
  std::int64_t shared = 0;         // share: leading ids whose pages the sequence reads from now on
  std::int64_t copied = 0;         // share: ids behind these whose keys and values the sequence gets a copy of
  std::int32_t from_slot = 0;      // share: the sequence that has them; below 0: -1 - index of one that is closed
  std::int32_t keeps = 0;          // close: 1: what the caches have stays while there is room
  std::int32_t alone = -1;         // open: the only model that runs it, as Role; -1: both do
  std::int32_t with_margins = 0;   // score: 1: margins too
  std::int32_t stop_table = 0;     // install_stop_table: its id
  std::int32_t exit_code = 0;      // shutdown
  std::uint64_t stop_vocab = 0;    // install_stop_table: columns; the table follows as raw bytes
  std::uint64_t stop_entries = 0;  // install_stop_table: rows · columns
  StepCosts costs;                 // set_step_costs
};
static_assert(std::is_trivially_copyable_v<CommandHeader>, "commands travel as bytes");

/// A sequence's request in a generate command.
struct RowWork {
  std::int32_t slot = 0;
  std::uint8_t continues = 0;  // 1: goes on with the request that the slot has; nothing below counts
  std::uint8_t ignore_eos = 0;
  std::uint8_t speculates = 0;  // 1: with the proposers that the engine has
  std::uint16_t stop_state = 0;
  std::int32_t stop_table = -1;  // -1: triggers do not end the request
  std::int32_t max_tokens = 0;
  std::int32_t min_tokens = 0;  // before these are written, a completed trigger does not count
  TokenId stop_token = -1;      // ends the request wherever it stands; -1: none does
  float max_entropy = kAnyEntropy;
  std::int32_t num_suffix = 0;  // of a reading: ids behind the prefix that the sequence loses again
  std::int32_t num_forced = 0;  // ids of the payload behind those of the sequence: emitted instead of what is sampled
  std::int32_t num_read = 0;    // the last ids of the payload: those whose log-probabilities a reading wants
  std::uint8_t statistics = 0;  // 1: wanted of each token
  Purpose purpose = Purpose::takeover;
  std::int64_t truncate_to = 0;  // ids kept of the sequence so far; the work's share of the payload follows them
  std::uint64_t payload_length = 0;
  SamplingParams sampling;
  DrawKey draw;
};
static_assert(std::is_trivially_copyable_v<RowWork>, "commands travel as bytes");

}  // namespace specthink::inline engine
