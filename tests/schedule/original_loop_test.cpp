// Rules of compat original that differ from compat fixed or that golden cases cannot show.
#include <gtest/gtest.h>

#include "schedule/scripted_run.h"

namespace specthink {
namespace {

using testing::ScriptedRun;

ScheduleSettings original_settings() {
  ScheduleSettings settings = testing::default_settings();
  settings.compat = Compat::original;
  settings.max_target_tokens = 4;
  return settings;
}

TEST(schedule, original_throws_a_neutral_probe_away_and_leaves_the_help_word) {
  ScheduleSettings settings = original_settings();
  settings.help_think_word = "Hm";
  ScriptedRun run(settings, 12);
  EXPECT_EQ(run.request(), "segment 'Q' 1024 stop@0");
  run.answer("so.\n\n");
  EXPECT_EQ(run.request(), "probe 'Qso.\n\nHm' 4");
  run.answer("abcd");
  EXPECT_EQ(run.request(), "segment 'Qso.\n\nHm' 1024 stop@0");
  run.answer("abcdefgh");
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.finish_reason, FinishReason::length);
  EXPECT_EQ(result.text, "Qso.\n\nHmabcdefgh");
  EXPECT_EQ(result.ledger.draft, 10);
  EXPECT_EQ(result.ledger.injected, 2);
  EXPECT_EQ(result.ledger.draft_wasted, 4);
}

TEST(schedule, original_matches_triggers_within_a_segment_only) {
  ScheduleSettings settings = original_settings();
  settings.begin = true;
  settings.begin_token_num = 2;
  ScriptedRun run(settings);
  run.answer("a\n");
  EXPECT_EQ(run.request(), "segment 'Qa\n' 1024 stop@0");
}

TEST(schedule, original_looks_for_a_trigger_in_the_last_five_tokens) {
  ScriptedRun run(original_settings());
  run.answer("\n\nabcd");
  EXPECT_EQ(run.request().substr(0, 5), "probe");
  run.answer("abcd").answer("\n\nabcde");
  EXPECT_EQ(run.request().substr(0, 7), "segment");
}

TEST(schedule, original_may_overshoot_and_counts_the_prompt) {
  ScheduleSettings settings = original_settings();
  settings.begin = true;
  settings.begin_token_num = 30;
  ScriptedRun run(settings, 10, "QQQQQ");
  EXPECT_EQ(run.request(), "takeover 'QQQQQ' 30");
  run.answer("abcde");
  EXPECT_EQ(run.request(), "");  // 5 of the prompt and 5 written
  EXPECT_EQ(run.schedule().result().finish_reason, FinishReason::length);
}

TEST(schedule, original_finds_eos_in_a_window_that_reaches_into_the_prompt) {
  ScriptedRun run(original_settings(), 1000, "Q<eos>Q");
  run.answer("ab");
  EXPECT_EQ(run.request(), "");
  EXPECT_EQ(run.schedule().result().finish_reason, FinishReason::stop);
}

TEST(schedule, original_knows_the_eos_of_the_tokenizer_alone) {
  ScriptedRun run(original_settings());
  run.answer("abcd<end>");
  EXPECT_EQ(run.request(), "segment 'Qabcd<end>' 1024 stop@0");
  run.answer("abcd<eos>");
  EXPECT_EQ(run.request(), "");
}

TEST(schedule, original_writes_past_eos_when_told_to) {
  ScriptedRun run(original_settings());
  run.setup.ignore_eos = true;
  run.answer("abcd<eos>");
  EXPECT_EQ(run.request(), "segment 'Qabcd<eos>' 1024 stop@0");
}

TEST(schedule, original_returns_the_text_so_far_when_its_time_is_over) {
  double now = 0;
  ScheduleSettings settings = original_settings();
  settings.time_out = 10;
  ScriptedRun run(settings);
  run.setup.elapsed_seconds = [&now] { return now; };
  run.answer("so.\n\n");
  now = 10.5;
  run.answer("wait");
  EXPECT_EQ(run.request(), "answer 'Qso.\n\n' 4");  // the time is looked at between rounds only
  run.answer("okok");
  EXPECT_EQ(run.request(), "");
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.finish_reason, FinishReason::time_out);
  EXPECT_EQ(result.text, "Qso.\n\nokok");
}

TEST(schedule, original_requests_stay_within_the_context) {
  ScriptedRun run(original_settings());
  run.setup.max_model_len = 4;
  EXPECT_EQ(run.request(), "segment 'Q' 3 stop@0");
  run.answer("abc");
  EXPECT_EQ(run.request(), "");
  EXPECT_EQ(run.schedule().result().finish_reason, FinishReason::length);
}

TEST(schedule, original_writes_nothing_when_the_reserve_takes_all) {
  ScriptedRun run(original_settings(), 1000, std::string(31744, '-'));
  EXPECT_EQ(run.request(), "");
  EXPECT_TRUE(run.schedule().result().ids.empty());
}

TEST(schedule, original_logs_nominal_lengths) {
  ScriptedRun run(original_settings());
  run.answer("so.\n\n").answer("yes").answer("ok").answer("<eos>");
  const RunResult result = run.schedule().result();
  ASSERT_EQ(result.log.size(), 1u);
  EXPECT_EQ(to_json(result.log[0]), Json({{"pos", 2}, {"token_num", 4}, {"traget", "ok"}, {"speculative", "yes"}}));
  EXPECT_EQ(result.ledger.target, 2);
  EXPECT_DOUBLE_EQ(result.ledger.nominal_target_share(), 4.0 / 5);
  EXPECT_DOUBLE_EQ(result.ledger.target_share(), 2.0 / 5);
}

}  // namespace
}  // namespace specthink
