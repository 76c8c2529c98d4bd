// The thinking loops. Each is a script over the state of one run; it ends by finishing the run.
#pragma once

#include "schedule/run_state.h"
#include "schedule/script.h"

namespace specthink {

/// The length of a draft segment that meets no trigger.
inline constexpr int kSegmentTokens = 1024;

/// What compat seed takes for the context, and the part of it that it leaves free, whatever the models can hold.
inline constexpr int kSeedContext = 32768;
inline constexpr int kSeedReserve = 1024;

Script seed_loop(RunState& run);
Script fixed_loop(RunState& run);
Script normal_loop(RunState& run);

/// Tokens of the loop's own limit in compat seed, 0 for a prompt that leaves none.
int seed_limit(const RunSetup& setup);

}  // namespace specthink
