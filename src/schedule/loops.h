// The thinking loops. Each is a script over the state of one run; it ends by finishing the run.
#pragma once

#include "schedule/run_state.h"
#include "schedule/script.h"

namespace specthink::inline schedule {

/// The length of a draft segment that meets no trigger.
inline constexpr int kSegmentTokens = 1024;

/// What the original loop takes for the context, and the part of it that it leaves free, whatever the models can hold.
inline constexpr int kOriginalContext = 32768;
inline constexpr int kOriginalReserve = 1024;

Script original_loop(RunState& run);
Script fixed_loop(RunState& run);
Script normal_loop(RunState& run);
Script relay_loop(RunState& run);
Script score_loop(RunState& run);
Script step_entropy_loop(RunState& run);
Script token_entropy_loop(RunState& run);
Script random_loop(RunState& run);
Script alone_loop(RunState& run);  // of policies target and draft

/// The original loop's own limit in tokens, 0 for a prompt that leaves none.
int original_limit(const RunSetup& setup);

}  // namespace specthink::inline schedule
