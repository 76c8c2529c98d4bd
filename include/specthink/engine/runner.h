// Runs thinking schedules over an engine, on rank 0.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "specthink/base/error.h"
#include "specthink/engine/engine.h"
#include "specthink/schedule/schedule.h"

namespace specthink::inline engine {

/// A token of a run's text.
struct WrittenToken {
  TokenId id = 0;
  Origin origin = Origin::draft;
  float logprob = kNotMeasured;  ///< with RunSetup::statistics, of what a model wrote
};

struct RunOptions {
  SamplingParams sampling{};
  DrawKey draw{};
  bool speculates = true;  ///< with the engine's proposers; changes no token
  /// Sees every token that is certain to stay, once, in order, as early as it is known.
  std::function<void(const WrittenToken&)> on_token{};
  /// In its place in mode vllm_p, where ids of two tokenizers follow each other.
  std::function<void(const TextPiece&)> on_text{};
  /// Asked between requests: true ends the run as interrupted.
  std::function<bool()> interrupted{};
  /// Asked between turns of the models, also while a request is under way: true ends the run where it stands, as
  /// interrupted.
  std::function<bool()> abandoned{};
};

struct EngineRun {
  RunResult result;  ///< ledger complete, prefilled positions included
  double seconds = 0;
  PhaseTimes draft;
  PhaseTimes target;
};

/// Throws UserError before decoding when the engine's caches cannot hold prompt and max_tokens.
/// `setup.elapsed_seconds` is set here.
EngineRun run_schedule(Engine& engine, RunSetup setup, const RunOptions& options);

/// Runs that share an engine, at a moment.
struct PoolStatus {
  int running = 0;
  int waiting_for_target = 0;    ///< of these
  std::int64_t preemptions = 0;  ///< so far: a run that gave its part of the cache back
};

/// One of several runs that share an engine.
struct ScheduledRun {
  RunSetup setup;
  RunOptions options;
  std::function<void(EngineRun)> done;  ///< gets the run as soon as it has ended
  std::function<std::unique_ptr<Schedule>(RunSetup)> make = make_schedule;
  /// Learns why a run cannot begin, and the others go on; empty: run_schedules() throws.
  std::function<void(const UserError&)> refused{};
};

/// Where runs come from that begin while others are under way.
class RunSource {
 public:
  virtual ~RunSource() = default;

  /// The next run, or none at present. `idle`: no run is under way, so that it may wait for one.
  virtual std::optional<ScheduledRun> next(bool idle) = 0;

  /// Whether no run will come any more.
  virtual bool is_exhausted() = 0;

  /// How the runs under way stand, between turns of the models.
  virtual void observe(const PoolStatus& status) = 0;
};

struct BatchOptions {
  int runs = 1;          ///< at a time: 1 to Engine::max_sequences()
  bool reserve = false;  ///< a run begins when the caches have room for all that it may write
};

/// As below, for runs that come at any time: a turn of a model ends after some steps, so that new runs join those under
/// way and abandoned ones leave.
void run_schedules(Engine& engine, const BatchOptions& batch, RunSource& source);

/// Does the runs that `next` gives, several at a time, until it gives no more and all have ended. Requests of the same
/// model share its steps, and the models take turns. A run begins when the caches have room for its prompt; where the
/// tokens that are written find none, the youngest run gives its part back and is prefilled again when there is room,
/// which changes no token but by rounding. Throws as run_schedule() does.
void run_schedules(Engine& engine, const BatchOptions& batch, const std::function<std::optional<ScheduledRun>()>& next);

/// Tokens that a run of this setup can reach: prompt and generated ones.
std::int64_t tokens_needed(const RunSetup& setup);

}  // namespace specthink::inline engine
