// Recorded runs at once: what a batch makes of them. On rank 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "specthink/engine/engine.h"
#include "specthink/engine/runner.h"
#include "specthink/replay/report.h"
#include "specthink/replay/workload.h"
#include "specthink/schedule/schedule.h"

namespace specthink::inline replay {

/// A recorded run as a schedule: its requests with their lengths after a prompt, whatever the models write. `words`
/// gives ids of what no model writes.
std::unique_ptr<Schedule> make_replay_schedule(std::vector<ReplayRequest> requests, TokenIds prompt,
                                               std::function<TokenIds(std::int64_t count)> words);

class BatchReplayer {
 public:
  struct Options {
    BatchOptions batch;
    bool has_draft = false;
    std::int64_t vocab_size = 0;  ///< ids of prompts and injected words are below
    SamplingParams sampling;
    std::uint64_t seed = 0;
    std::function<bool()> stop_requested;  ///< asked before each request
  };

  /// No sequence of the engine, which must outlive this, is open.
  BatchReplayer(Engine& engine, Options options) : engine_(engine), options_(std::move(options)) {}

  /// The `selected` traces, so many at a time as options.batch says, without token-level speculation. None when a
  /// signal ended it.
  std::optional<BatchTimes> run(std::span<const Trace> traces, std::span<const std::size_t> selected, ReplayLoop loop);

  /// A decode step of each model with one row of each of 8, 16, 32, ... sequences, up to the batch, at some contexts:
  /// of three runs the median. None where the caches have no room.
  std::vector<BatchStepRow> measure_steps();

 private:
  std::optional<double> step_milliseconds(Role role, int sequences, std::int64_t context);

  Engine& engine_;
  Options options_;
};

}  // namespace specthink::inline replay
