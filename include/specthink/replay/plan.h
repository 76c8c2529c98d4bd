// What a replay does, and what of it is done. On rank 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "specthink/base/json.h"
#include "specthink/config/settings.h"
#include "specthink/replay/log.h"
#include "specthink/replay/replayer.h"

namespace specthink::inline replay {

struct ReplayPlan {
  std::vector<ReplayLoop> loops;
  std::vector<Trace> traces;          ///< all of the file
  std::vector<std::size_t> selected;  ///< indices of those that are replayed
  Json settings;                      ///< ReplayLog::create
  std::optional<ReplayLog> log;       ///< null until the first run, unless one is resumed
};

/// Reads the workloads of `file`, makes the output folder and, with --resume, opens the log to go on with. `settings`
/// is what decides the times of a run. Throws UserError, also for loops that need a draft where there is none.
ReplayPlan make_replay_plan(const Settings& settings, const std::filesystem::path& file, Json run_settings,
                            bool has_draft);

/// Throws UserError for a workload that needs more tokens of context than `limit`; the message says that `what` is so
/// much.
void check_context(const ReplayPlan& plan, std::int64_t limit, const char* what);

/// Replays what is not in the plan's log yet and appends it there; false when a signal ended it.
bool run_workloads(Replayer& replayer, ReplayPlan& plan);

/// The finished runs of the selected workloads: those of this replay, and of other loops what the log holds.
std::vector<ReplayRecord> finished_records(const ReplayPlan& plan);

}  // namespace specthink::inline replay
