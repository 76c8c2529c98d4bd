// A run and its sequence, from its first request to its result. On rank 0.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "specthink/base/stopwatch.h"
#include "specthink/engine/runner.h"

namespace specthink::inline engine {

/// Passes tokens on to the user as soon as they are certain to stay: those of a segment or takeover while they are
/// sampled, all others when the schedule has settled them.
class Streamer {
 public:
  Streamer(const RunOptions& options, bool as_text) : options_(options), as_text_(as_text) {}

  void settle(const Schedule& schedule);

  /// A sink for the tokens of `request`, or none when they may yet be thrown away.
  TokenSink live(const Request& request, std::size_t prompt_size);

 private:
  const RunOptions& options_;
  bool as_text_;
  std::size_t shown_ = 0;  // tokens, or pieces of text
};

/// A run's sequences by Role: one for both models, or one for each.
using Sequences = std::array<int, 2>;

class ActiveRun {
 public:
  /// `room`: tokens that its sequences can have. The engine must outlive this.
  ActiveRun(Engine& engine, const Sequences& sequences, std::int64_t room, ScheduledRun run);
  ActiveRun(const ActiveRun&) = delete;
  ActiveRun& operator=(const ActiveRun&) = delete;

  const Sequences& sequences() const { return sequences_; }
  std::int64_t room() const { return room_; }
  int sequence(Role role) const { return sequences_[static_cast<std::size_t>(role)]; }

  /// The model that the run waits for; none when it is over.
  std::optional<Role> waits_for() const { return role_; }

  /// The request has ended.
  void resume();

  /// Ends the run where it stands when it was abandoned.
  void look_for_end();

  /// After the last request.
  void finish();

 private:
  void next_request();
  void account(Generation& generation);

  Engine& engine_;
  Sequences sequences_;
  std::int64_t room_;
  ScheduledRun run_;
  Streamer streamer_;
  Stopwatch watch_;
  std::size_t prompt_size_ = 0;
  bool ignore_eos_ = false;
  bool out_of_context_ = false;
  std::unique_ptr<Schedule> schedule_;
  std::optional<Role> role_;
  Purpose purpose_ = Purpose::segment;  // of the request
  Ledger proposals_;                    // of its counts, those of the proposers
  EngineRun outcome_;
};

/// Whether each model has ids of its own for the text.
bool has_own_ids(const RunSetup& setup);

}  // namespace specthink::inline engine
