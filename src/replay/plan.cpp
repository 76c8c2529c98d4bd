#include "specthink/replay/plan.h"

#include <algorithm>
#include <utility>

#include "specthink/base/error.h"
#include "specthink/base/log.h"
#include "specthink/replay/workload.h"
#include "specthink/report/output_folder.h"

namespace specthink::inline replay {

ReplayPlan make_replay_plan(const Settings& settings, const std::filesystem::path& file, Json run_settings,
                            bool has_draft) {
  ReplayPlan plan;
  plan.loops = settings.replay.loops;
  if (!has_draft && std::ranges::any_of(plan.loops, [](auto loop) { return loop != ReplayLoop::target; })) {
    throw UserError("the loops original and fixed need a draft model: give --draft FOLDER, or use --loop target");
  }
  plan.traces = read_workloads(file);
  plan.selected = select_workloads(settings.replay.workloads, plan.traces.size());
  plan.settings = std::move(run_settings);
  prepare_output_folder(settings.bench.output_dir);
  if (settings.bench.resume) plan.log = ReplayLog::resume(settings.bench.output_dir, plan.settings);
  return plan;
}

void check_context(const ReplayPlan& plan, std::int64_t limit, const char* what) {
  for (const std::size_t workload : plan.selected) {
    for (const ReplayLoop loop : plan.loops) {
      const std::int64_t needed = replay_context(plan.traces[workload], loop);
      if (needed <= limit) continue;
      throw UserError("workload {} needs a context of {} tokens, but {} is {}: choose shorter ones with --workloads",
                      workload, needed, what, limit);
    }
  }
}

bool run_workloads(Replayer& replayer, ReplayPlan& plan) {
  const std::size_t total = plan.loops.size() * plan.selected.size();
  std::size_t count = 0;
  for (const ReplayLoop loop : plan.loops) {
    for (const std::size_t workload : plan.selected) {
      ++count;
      if (plan.log->find(loop, workload, replayer.speculates())) continue;
      const std::optional<ReplayRecord> record = replayer.run(plan.traces[workload], workload, loop);
      if (!record) return false;
      plan.log->append(*record);
      spdlog::info("[{}/{}] {}, workload {}: {} tokens in {:.2f} s, {:.1f} tokens/s", count, total, name_of(loop),
                   workload, record->times.tokens, record->times.seconds, record->times.tokens_per_second());
    }
  }
  return true;
}

std::vector<ReplayRecord> finished_records(const ReplayPlan& plan) {
  std::vector<ReplayRecord> records;
  for (const ReplayLoop loop : kReplayLoops) {
    for (const std::size_t workload : plan.selected) {
      for (const bool speculates : {false, true}) {
        if (const ReplayRecord* record = plan.log->find(loop, workload, speculates)) records.push_back(*record);
      }
    }
  }
  return records;
}

}  // namespace specthink::inline replay
