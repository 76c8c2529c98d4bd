// Runs one thinking schedule over an engine, on rank 0.
#pragma once

#include <array>
#include <functional>
#include <string>

#include "specthink/engine/engine.h"
#include "specthink/schedule/schedule.h"

namespace specthink {

struct RunOptions {
  SamplingParams sampling;
  DrawKey draw;
  /// Sees every token that is certain to stay, once, in order, as early as it is known.
  std::function<void(TokenId, Origin)> on_token;
  /// Asked between requests: true ends the run as interrupted.
  std::function<bool()> interrupted;
};

struct EngineRun {
  RunResult result;  ///< ledger complete, prefilled positions included
  double seconds = 0;
  PhaseTimes draft;
  PhaseTimes target;
  int takeovers = 0;  ///< requests to the target whose text stayed as a passage of its own
};

/// Throws UserError before decoding when the engine's caches cannot hold prompt and max_tokens.
/// `setup.elapsed_seconds` is set here.
EngineRun run_schedule(Engine& engine, RunSetup setup, const RunOptions& options);

/// Tokens that a run of this setup can reach: prompt and generated ones.
std::int64_t tokens_needed(const RunSetup& setup);

}  // namespace specthink
