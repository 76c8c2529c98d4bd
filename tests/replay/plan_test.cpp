#include "specthink/replay/plan.h"

#include "fixtures.h"

namespace specthink {
namespace {

const std::filesystem::path kWorkloads = "tests/replay/data/workloads.jsonl";
const Json kRunSettings{{"target_model", "t"}};

Settings settings_for(const std::filesystem::path& folder) {
  Settings settings;
  settings.bench.output_dir = folder;
  settings.replay.loops = {ReplayLoop::fixed, ReplayLoop::target};
  return settings;
}

TEST(replay_plan, takes_the_workloads_that_are_asked_for) {
  const TemporaryFolder folder;
  Settings settings = settings_for(folder.path());
  settings.replay.workloads = std::vector<IndexRange>{{2, 2}, {0, 0}};
  const ReplayPlan plan = make_replay_plan(settings, kWorkloads, kRunSettings, /*has_draft=*/true);
  EXPECT_EQ(plan.traces.size(), 3u);
  EXPECT_EQ(plan.selected, (std::vector<std::size_t>{2, 0}));
  EXPECT_EQ(plan.settings, kRunSettings);
  EXPECT_FALSE(plan.log);
}

TEST(replay_plan, without_a_draft_is_of_the_target_alone) {
  const TemporaryFolder folder;
  Settings settings = settings_for(folder.path());
  expect_contains(message_of<UserError>([&] { make_replay_plan(settings, kWorkloads, kRunSettings, false); }),
                  "need a draft model");
  settings.replay.loops = {ReplayLoop::target};
  EXPECT_EQ(make_replay_plan(settings, kWorkloads, kRunSettings, false).selected.size(), 3u);
}

TEST(replay_plan, names_what_a_workload_does_not_fit_into) {
  const TemporaryFolder folder;
  const ReplayPlan plan = make_replay_plan(settings_for(folder.path()), kWorkloads, kRunSettings, true);
  check_context(plan, 1 << 20, "the context");
  const std::string message = message_of<UserError>([&] { check_context(plan, 30, "the context"); });
  expect_contains(message, "workload 0 needs a context of ");
  expect_contains(message, "but the context is 30");
}

TEST(replay_plan, goes_on_in_the_log_of_the_same_settings) {
  const TemporaryFolder folder;
  ReplayLog log = ReplayLog::create(folder.path(), kRunSettings, "20300102_030405");
  log.append({ReplayLoop::original, 1, 0, 0, 5, {}});
  log.append({ReplayLoop::fixed, 0, 0, 0, 5, {}});
  Settings settings = settings_for(folder.path());
  settings.bench.resume = true;
  settings.replay.workloads = std::vector<IndexRange>{{1, 1}};
  const ReplayPlan plan = make_replay_plan(settings, kWorkloads, kRunSettings, true);
  ASSERT_TRUE(plan.log);
  const std::vector<ReplayRecord> records = finished_records(plan);
  ASSERT_EQ(records.size(), 1u) << "of the selected workload, under any policy";
  EXPECT_EQ(records[0].loop, ReplayLoop::original);
}

}  // namespace
}  // namespace specthink
