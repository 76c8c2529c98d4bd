// A failure on purpose, so that operators can see what their scripts do when a rank fails: SPECTHINK_FAULT.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace specthink::inline comm {

/// Where a fault can happen: `write` is where a finished run is recorded, which rank 0 does.
enum class FaultPhase : std::uint8_t { start, load, prefill, decode, collective, write };

inline constexpr std::size_t kNumFaultPhases = 6;

/// What happens: an exception is thrown, the process ends by SIGKILL, is stopped by SIGSTOP, or never gets on. `count` is
/// for finding out which counts there are: nothing fails, and the rank says at the end how often it came to each phase.
enum class FaultAction : std::uint8_t { raise, kill, stop, hang, count };

class Fault {
 public:
  /// `RANK:PHASE[:ACTION[:COUNT]]`, such as 1:decode or 0:write:kill:3. The action is `throw` when left out, COUNT says
  /// at which time it happens. Throws UserError.
  static Fault parse(std::string_view text);

  int rank() const { return rank_; }

  /// To be called by that rank whenever it comes to a phase; does what was asked for when the time has come.
  void reach(FaultPhase phase);

  /// "start 1, load 2, ..." of a fault that only counts.
  std::optional<std::string> counts() const;

 private:
  int rank_ = 0;
  FaultPhase phase_ = FaultPhase::start;
  FaultAction action_ = FaultAction::raise;
  std::uint64_t remaining_ = 1;
  std::string text_;
  std::array<std::uint64_t, kNumFaultPhases> reached_{};
};

constexpr const char* kFaultVariable = "SPECTHINK_FAULT";

}  // namespace specthink::inline comm
