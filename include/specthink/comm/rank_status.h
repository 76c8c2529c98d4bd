// What each rank does, kept where the other ranks of its node can read it: whoever finds out that the job is stuck can
// then say which rank is to blame and what it did last.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace specthink::inline comm {

/// What a rank works on. The detail that goes with it is a position for prefill and decode, a layer for load.
enum class Phase : std::uint8_t {
  start = 0,  // what memory of zeros says
  load,
  prefill,
  decode,
  input,     ///< waits for what the user types or pipes in
  output,    ///< waits for judges, or writes and prints results, for as long as that takes
  idle,      ///< has nothing left to do but to meet the others, and waits for as long as they take
  finished,  ///< has left its work behind; may end at any time
};

/// What a rank waits for inside its phase.
enum class Wait : std::uint8_t { none = 0, broadcast, all_gather, barrier, split, answer };

const char* name_of(Phase phase);
const char* name_of(Wait wait);

/// One rank's own words. Written by that rank only, read by the watchdogs of its node; counters only grow.
struct alignas(128) RankStatus {
  std::atomic<std::int32_t> rank{0};   ///< in the world
  std::atomic<std::int32_t> group{0};  ///< of tensor parallelism
  std::atomic<std::int32_t> pid{0};
  std::atomic<std::uint64_t> pid_namespace{0};  ///< pids of different ones cannot be compared
  std::atomic<Phase> phase{Phase::start};
  std::atomic<Wait> wait{Wait::none};
  std::atomic<std::int64_t> detail{0};
  std::atomic<std::uint64_t> collectives{0};  ///< begun; equal on all ranks of a group that wait in the same one
  std::atomic<std::uint64_t> progress{0};     ///< grows with everything that is done
  std::atomic<std::int64_t> since{0};         ///< nanoseconds of the node's clock, when progress grew last
  std::atomic<std::uint64_t> beat{0};         ///< grows as long as the process runs at all
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && std::atomic<Phase>::is_always_lock_free,
              "the status is shared by processes");

/// A status at one moment.
struct RankSnapshot {
  int rank = 0;
  int group = 0;
  Phase phase = Phase::start;
  Wait wait = Wait::none;
  std::int64_t detail = 0;
  std::uint64_t collectives = 0;
  std::uint64_t progress = 0;
  std::int64_t since = 0;
  std::uint64_t beat = 0;
  bool gone = false;  ///< the process has ended
};
RankSnapshot snapshot(const RankStatus& status);

/// "decode at position 87, in all-gather 1234".
std::string describe(const RankSnapshot& status);

}  // namespace specthink::inline comm
