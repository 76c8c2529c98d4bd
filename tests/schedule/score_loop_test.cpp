// Policy score: what is judged, what stays, and what cannot be judged.
#include <gtest/gtest.h>

#include "schedule/scripted_run.h"

namespace specthink {
namespace {

using testing::ScriptedRun;

ScheduleSettings score() {
  ScheduleSettings settings = testing::default_settings();
  settings.policy = Policy::score;
  settings.score_threshold = 7;
  return settings;
}

TEST(score, a_step_of_the_threshold_stays) {
  ScriptedRun run(score());
  EXPECT_EQ(run.request(), "probe 'Q' 512 stop@0 think");
  run.answer("ab\n\n");
  EXPECT_EQ(run.request(), "read 'Qab\n\n' 'ok?'");
  EXPECT_EQ(run.settled(), "");
  run.answer_digit(7);
  EXPECT_EQ(run.settled(), "ab\n\n");
  EXPECT_EQ(run.request(), "probe 'Qab\n\n' 512 stop@0 think");
  run.answer("<eos>").answer_digit(9);
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.finish_reason, FinishReason::stop);
  EXPECT_EQ(result.ledger.draft, 4);
  EXPECT_EQ(result.ledger.draft_wasted, 0);
  EXPECT_EQ(result.ledger.target_wasted, 0);
  EXPECT_TRUE(result.ledger.hand_overs.empty());
}

TEST(score, a_step_below_it_is_thrown_away_and_the_target_writes_one) {
  ScriptedRun run(score());
  run.answer("ab\n\n").answer_digit(4);
  EXPECT_EQ(run.request(), "takeover 'Q' 512 stop@0 think");
  run.answer("c\n\n");
  EXPECT_EQ(run.request(), "probe 'Qc\n\n' 512 stop@0 think");
  run.answer("</think>").answer_digit(8).answer("<eos>");
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.text, "c\n\n</think>");
  EXPECT_EQ(result.ledger.draft_wasted, 3);
  EXPECT_EQ(result.ledger.target, 2);
  EXPECT_EQ(result.ledger.hand_overs, (std::map<std::string, std::int64_t>{{"score", 1}}));
  ASSERT_EQ(result.log.size(), 1u);
  EXPECT_EQ(to_json(result.log[0]),
            Json({{"pos", 0}, {"token_num", 2}, {"traget", "c\n\n"}, {"speculative", "ab\n\n"}}));
  ASSERT_EQ(result.segments.size(), 6u);
  EXPECT_EQ(result.segments[0].kept, 0);
  EXPECT_EQ(result.segments[1].by, "read");
  EXPECT_EQ(result.segments[1].tokens, 3);
  EXPECT_EQ(result.segments[1].kept, 0);
  EXPECT_EQ(result.segments[2].why, "score 4");
  EXPECT_EQ(result.segments[3].kept, 1);
}

TEST(score, the_mark_is_the_likeliest_digit_or_the_mean) {
  const std::vector<float> probabilities{0, 0, 0, 0, 0, 0, 0.3f, 0, 0, 0.2f};  // of all ids: they are renormalised
  ScriptedRun greedy(score());
  greedy.answer("a\n\n").answer_digits(probabilities);
  EXPECT_EQ(greedy.request().substr(0, 8), "takeover");
  greedy.answer("<eos>");
  EXPECT_EQ(greedy.schedule().result().segments[2].why, "score 6");
  ScheduleSettings settings = score();
  settings.score_method = ScoreMethod::average;
  ScriptedRun average(settings);
  average.answer("a\n\n").answer_digits(probabilities);  // 7.2
  EXPECT_EQ(average.settled(), "a\n\n");
  settings.score_threshold = 7.3;
  ScriptedRun strict(settings);
  strict.answer("a\n\n").answer_digits(probabilities).answer("<eos>");
  EXPECT_EQ(strict.schedule().result().segments[2].why, "score 7.20");
}

TEST(score, eos_and_think_end_are_judged_first) {
  ScriptedRun run(score());
  run.answer("a<eos>");
  EXPECT_EQ(run.request(), "read 'Qa<eos>' 'ok?'");
  run.answer_digit(0);
  EXPECT_EQ(run.request(), "takeover 'Q' 512 stop@0 think") << "EOS in rejected text means nothing";
  run.answer("b\n\n").answer("a</think>").answer_digit(1);
  EXPECT_EQ(run.request(), "takeover 'Qb\n\n' 512 stop@0 think");
  run.answer("c</think>");
  EXPECT_EQ(run.request(), "segment 'Qb\n\nc</think>' 996");
}

TEST(score, an_empty_answer_and_an_interruption_while_a_step_waits_for_its_mark) {
  ScriptedRun run(score());
  run.answer("a</think>").answer_digit(9).answer("<eos>");
  EXPECT_EQ(run.schedule().result().finish_reason, FinishReason::stop);
  EXPECT_EQ(run.schedule().result().text, "a</think>");
  ScriptedRun stopped(score());
  stopped.answer("a\n\n").answer_digit(9).answer("b\n\n");
  stopped.schedule().interrupt();
  EXPECT_EQ(stopped.schedule().result().finish_reason, FinishReason::interrupted);
  EXPECT_EQ(stopped.schedule().result().text, "a\n\n");
}

TEST(score, the_matcher_goes_on_over_kept_steps_and_back_over_thrown_ones) {
  ScriptedRun run(score());
  const std::string long_step = std::string(511, 'a') + "\n";
  run.answer(long_step).answer_digit(9);
  EXPECT_EQ(run.request(), "probe 'Q" + long_step + "' 488 stop@1 think");
  run.answer("b").answer_digit(0);
  EXPECT_EQ(run.request(), "takeover 'Q" + long_step + "' 488 stop@1 think");
}

TEST(score, the_target_can_write_the_first_steps) {
  ScheduleSettings settings = score();
  settings.first_steps_by_target = 2;
  ScriptedRun run(settings);
  EXPECT_EQ(run.request(), "takeover 'Q' 512 stop@0 think");
  run.answer("a\n\n");
  EXPECT_EQ(run.request().substr(0, 8), "takeover");
  run.answer("b\n\n");
  EXPECT_EQ(run.request(), "probe 'Qa\n\nb\n\n' 512 stop@0 think");
  run.answer("<eos>").answer_digit(9);
  EXPECT_EQ(run.schedule().result().ledger.hand_overs, (std::map<std::string, std::int64_t>{{"first_steps", 1}}));
}

TEST(score, a_step_whose_question_does_not_fit_stays_unjudged_and_is_counted) {
  ScriptedRun run(score());
  run.setup.max_model_len = 8;
  run.answer("abc\n\n");  // with the prompt 5 tokens, and 3 of the question
  EXPECT_EQ(run.request(), "read 'Qabc\n\n' 'ok?'");
  run.answer_digit(9);
  run.answer("d");
  EXPECT_EQ(run.settled(), "abc\n\nd");
  EXPECT_EQ(run.schedule().request()->purpose, Purpose::probe);
  run.answer("ef");
  EXPECT_EQ(run.request(), "");
  EXPECT_EQ(run.schedule().result().finish_reason, FinishReason::length);
  EXPECT_EQ(run.schedule().result().ledger.unjudged, 2);
}

TEST(score, a_reading_that_the_cache_has_no_room_for_counts_as_one) {
  ScriptedRun run(score());
  run.answer("abc\n\n");
  run.schedule().resume({}, EndReason::length);
  EXPECT_EQ(run.settled(), "abc\n\n");
  run.answer("<eos>").answer_digit(9);
  EXPECT_EQ(run.schedule().result().ledger.unjudged, 1);
}

TEST(score, looks_at_the_clock_before_a_reading_too) {
  double now = 0;
  ScheduleSettings settings = score();
  settings.time_out = 5;
  ScriptedRun run(settings);
  run.setup.elapsed_seconds = [&now] { return now; };
  EXPECT_EQ(run.request().substr(0, 5), "probe");
  now = 6;
  run.answer("ab\n\n");
  EXPECT_EQ(run.request(), "");
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.finish_reason, FinishReason::time_out);
  EXPECT_EQ(result.text, "");
  EXPECT_EQ(result.ledger.draft_wasted, 3);
}

}  // namespace
}  // namespace specthink
