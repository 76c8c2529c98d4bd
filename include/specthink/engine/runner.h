// Runs thinking schedules over an engine, on rank 0.
#pragma once

#include <functional>
#include <optional>

#include "specthink/engine/engine.h"
#include "specthink/schedule/schedule.h"

namespace specthink::inline engine {

struct RunOptions {
  SamplingParams sampling{};
  DrawKey draw{};
  bool speculates = true;  ///< with the engine's proposers; changes no token
  /// Sees every token that is certain to stay, once, in order, as early as it is known.
  std::function<void(TokenId, Origin)> on_token{};
  /// In its place in mode vllm_p, where ids of two tokenizers follow each other.
  std::function<void(const TextPiece&)> on_text{};
  /// Asked between requests: true ends the run as interrupted.
  std::function<bool()> interrupted{};
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

/// One of several runs that share an engine.
struct ScheduledRun {
  RunSetup setup;
  RunOptions options;
  std::function<void(EngineRun)> done;  ///< gets the run as soon as it has ended
};

/// Does the runs that `next` gives, up to `batch` at a time (1 to kMaxStepRows), until it gives no more and all have
/// ended. Requests of the same model share its steps, and the models take turns. A run whose tokens the caches cannot
/// hold beside the others waits until one of these has ended. Throws as run_schedule() does.
void run_schedules(Engine& engine, int batch, const std::function<std::optional<ScheduledRun>()>& next);

/// Tokens that a run of this setup can reach: prompt and generated ones.
std::int64_t tokens_needed(const RunSetup& setup);

}  // namespace specthink::inline engine
