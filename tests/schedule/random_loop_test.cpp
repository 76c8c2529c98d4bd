// Policies random, target and draft.
#include <gtest/gtest.h>

#include "schedule/scripted_run.h"

namespace specthink {
namespace {

using testing::ScriptedRun;

ScheduleSettings random_policy(TargetRate rate) {
  ScheduleSettings settings = testing::default_settings();
  settings.policy = Policy::random;
  settings.target_rate = rate;
  settings.original_recap_token_num = 4;
  return settings;
}

/// Target passages among `steps` triggers of a run, each behind 6 tokens of the draft.
struct Counted {
  int takeovers = 0;
  RunResult result;
};
Counted run_of(const ScheduleSettings& settings, int steps, const DrawKey& draw, double share = 0) {
  ScriptedRun run(settings, 100000);
  run.setup.draw = draw;
  run.setup.match_share = share;
  Counted counted;
  for (int step = 0; step < steps;) {
    if (run.schedule().request()->role == Role::target) {
      ++counted.takeovers;
      run.answer("wxyz");
    } else {
      run.answer("abcde\n\n");
      ++step;
    }
  }
  run.schedule().interrupt();
  counted.result = run.schedule().result();
  return counted;
}

TEST(random, a_passage_of_the_settings_length_at_each_trigger_or_at_none) {
  ScriptedRun always(random_policy({.probability = 1}));
  EXPECT_EQ(always.request(), "segment 'Q' 1000 stop@0 think");
  always.answer("ab\n\n");
  EXPECT_EQ(always.request(), "takeover 'Qab\n\n' 4 think");
  always.answer("cdef");
  EXPECT_EQ(always.request(), "segment 'Qab\n\ncdef' 993 stop@0 think");
  always.answer("\n\n").answer("c\n\n");
  EXPECT_EQ(always.request().substr(0, 8), "takeover") << "a passage that ends in a trigger is at one";
  always.answer("<eos>");
  const RunResult result = always.schedule().result();
  EXPECT_EQ(result.finish_reason, FinishReason::stop);
  EXPECT_EQ(result.ledger.hand_overs, (std::map<std::string, std::int64_t>{{"random", 3}}));
  ScriptedRun never(random_policy({.probability = 0}));
  never.answer("ab\n\n");
  EXPECT_EQ(never.request().substr(0, 7), "segment");
}

TEST(random, a_trigger_that_is_split_over_requests_is_one) {
  ScriptedRun run(random_policy({.probability = 1}));
  run.answer("ab\n\n").answer("cde\n");
  EXPECT_EQ(run.request(), "segment 'Qab\n\ncde\n' 993 stop@1 think");
  run.answer("\n");
  EXPECT_EQ(run.request().substr(0, 8), "takeover");
}

TEST(random, ends_at_an_eos_of_the_target_and_holds_what_was_written_when_interrupted) {
  ScriptedRun run(random_policy({.probability = 1}));
  run.answer("so.\n\n").answer("ab<eos>");
  EXPECT_EQ(run.request(), "");
  EXPECT_EQ(run.schedule().result().finish_reason, FinishReason::stop);
  EXPECT_EQ(run.schedule().result().segments[1].why, "random");
  ScriptedRun stopped(random_policy({.probability = 1}));
  stopped.answer("so.\n\n");
  stopped.schedule().interrupt();
  EXPECT_EQ(stopped.schedule().result().text, "so.\n\n");
}

TEST(random, coins_come_from_seed_problem_run_and_position) {
  const ScheduleSettings settings = random_policy({.probability = 0.3});
  const int takeovers = run_of(settings, 2000, {1, 2, 3}).takeovers;
  EXPECT_NEAR(takeovers, 600, 100);
  EXPECT_EQ(run_of(settings, 2000, {1, 2, 3}).result.ids, run_of(settings, 2000, {1, 2, 3}).result.ids);
  for (const DrawKey& other : {DrawKey{2, 2, 3}, DrawKey{1, 3, 3}, DrawKey{1, 2, 4}}) {
    EXPECT_NE(run_of(settings, 100, other).result.ids, run_of(settings, 100, {1, 2, 3}).result.ids);
  }
}

TEST(random, an_automatic_rate_holds_the_share) {
  for (const double share : {0.05, 0.2, 0.35}) {
    const RunResult result = run_of(random_policy({.automatic = true}), 3000, {1, 2, 3}, share).result;
    EXPECT_NEAR(result.ledger.target_share(), share, 0.005);
  }
  const Counted most = run_of(random_policy({.automatic = true}), 100, {1, 2, 3}, 0.9);
  EXPECT_EQ(most.takeovers, 99) << "more than a passage at each trigger is not to be had";
}

TEST(alone, one_model_writes_everything) {
  for (const Policy policy : {Policy::target, Policy::draft}) {
    ScheduleSettings settings = testing::default_settings();
    settings.policy = policy;
    const std::string purpose = policy == Policy::target ? "takeover" : "segment";
    ScriptedRun run(settings);
    EXPECT_EQ(run.request(), purpose + " 'Q' 1000 think");
    run.answer("ab\n\n</think>");
    EXPECT_EQ(run.request(), purpose + " 'Qab\n\n</think>' 996");
    run.answer("c<end>");
    const RunResult result = run.schedule().result();
    EXPECT_EQ(result.finish_reason, FinishReason::stop);
    EXPECT_EQ(result.ledger.target_share(), policy == Policy::target ? 1 : 0);
    EXPECT_EQ(result.ledger.nominal_target_share(), policy == Policy::target ? 1 : 0);
    EXPECT_TRUE(result.ledger.hand_overs.empty());
  }
}

}  // namespace
}  // namespace specthink
