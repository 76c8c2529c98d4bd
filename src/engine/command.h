// What rank 0 broadcasts: a fixed header, then `payload_length` token ids.
#pragma once

#include <cstdint>
#include <type_traits>

#include "specthink/base/types.h"
#include "specthink/engine/sampling.h"
#include "specthink/schedule/schedule.h"

namespace specthink {

enum class Operation : std::uint32_t { generate, score, install_stop_table, shutdown };

struct Command {
  Operation operation = Operation::shutdown;
  Role role = Role::target;
  Purpose purpose = Purpose::takeover;
  std::uint16_t stop_state = 0;
  std::int32_t slot = 0;
  std::int32_t max_tokens = 0;
  std::int64_t truncate_to = 0;  // ids kept of the sequence so far; the payload follows them
  std::uint64_t payload_length = 0;
  std::uint64_t serial = 0;
  SamplingParams sampling;
  DrawKey draw;
  std::uint8_t stop_at_trigger = 0;
  std::uint8_t ignore_eos = 0;
  std::int32_t exit_code = 0;      // shutdown
  std::uint64_t stop_vocab = 0;    // install_stop_table: columns; the table follows as raw bytes
  std::uint64_t stop_entries = 0;  // install_stop_table: rows · columns
};
static_assert(std::is_trivially_copyable_v<Command>, "commands travel as bytes");

}  // namespace specthink
