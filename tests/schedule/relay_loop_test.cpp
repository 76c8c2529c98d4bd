// Policy relay: cues, sentence ends, the end of the thinking, limits.
#include <gtest/gtest.h>

#include "schedule/scripted_run.h"

namespace specthink {
namespace {

using testing::ScriptedRun;

ScheduleSettings relay() {
  ScheduleSettings settings = testing::default_settings();
  settings.policy = Policy::relay;
  settings.cues = {"Thus", "Thus,", "now"};
  return settings;
}

TEST(relay, the_target_writes_to_a_cue_and_the_draft_to_the_end_of_its_sentence) {
  ScriptedRun run(relay());
  EXPECT_EQ(run.request(), "takeover 'Q' 1000 stop@0 min 5 think");
  run.answer("a + b. Thus");
  EXPECT_EQ(run.request(), "segment 'Qa + b. Thus' 989 stop@0 think");
  EXPECT_EQ(run.settled(), "a + b. Thus");
  run.answer(" c.");
  EXPECT_EQ(run.request(), "takeover 'Qa + b. Thus c.' 986 stop@0 min 5 think");
  run.answer("abcd<eos>");
  EXPECT_EQ(run.request(), "");
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.finish_reason, FinishReason::stop);
  EXPECT_EQ(result.ledger.target, 16);
  EXPECT_EQ(result.ledger.draft, 3);
  EXPECT_EQ(result.ledger.draft_wasted + result.ledger.target_wasted, 0);
  EXPECT_EQ(result.num_validations, 2);
  ASSERT_EQ(result.log.size(), 2u);
  EXPECT_EQ(to_json(result.log[1]), Json({{"pos", 14}, {"token_num", 5}, {"traget", "abcd"}}));
}

TEST(relay, says_which_string_made_each_hand_over) {
  ScriptedRun run(relay());
  run.answer("abcde Thus").answer(" so!").answer("I know").answer("x\n\n").answer("<eos>");
  const RunResult result = run.schedule().result();
  ASSERT_EQ(result.segments.size(), 5u);
  EXPECT_EQ(result.segments[0].why, "");
  EXPECT_EQ(result.segments[1].why, "cue \"Thus\"");
  EXPECT_EQ(result.segments[2].why, "sentence \"!\"");
  EXPECT_EQ(result.segments[3].why, "cue \"now\"") << "inside a word";
  EXPECT_EQ(result.segments[4].why, "sentence \"\\n\\n\"");
  EXPECT_EQ(result.ledger.hand_overs, (std::map<std::string, std::int64_t>{{"cue", 2}, {"sentence", 2}}));
}

TEST(relay, a_sentence_ends_inside_a_token) {
  ScriptedRun run(relay());
  run.answer("abcde Thus");
  run.answer("so.\n\n");  // one token ".\n\n", in which the sentence ends at its first byte
  EXPECT_EQ(run.request().substr(0, 8), "takeover");
  run.answer("<eos>");
  EXPECT_EQ(run.schedule().result().segments[2].why, "sentence \".\"");
}

TEST(relay, a_cue_is_completed_inside_a_token) {
  ScheduleSettings settings = relay();
  settings.cues = {"che"};
  ScriptedRun run(settings);
  run.answer("abcd check");  // one token "check", in which the cue ends at its third byte
  EXPECT_EQ(run.request().substr(0, 22), "segment 'Qabcd check' ") << "the passage ends behind the whole token";
  run.answer("<eos>");
  EXPECT_EQ(run.schedule().result().segments[1].why, "cue \"che\"");
}

TEST(relay, a_cue_counts_from_the_minimum_length_on) {
  ScriptedRun short_one(relay());
  short_one.answer("Thus");  // four tokens: the target goes on, as it does at the end of any request
  EXPECT_EQ(short_one.request().substr(0, 8), "takeover");
  ScriptedRun at_minimum(relay());
  at_minimum.answer("aThus");
  EXPECT_EQ(at_minimum.request().substr(0, 7), "segment");
  ScriptedRun earlier(relay());
  earlier.answer("Thusab");  // completed by the fourth token, which is too early
  EXPECT_EQ(earlier.request().substr(0, 8), "takeover");
}

TEST(relay, the_matcher_starts_anew_in_each_request) {
  ScriptedRun run(relay());
  run.answer("abcdThus").answer("ab.");
  EXPECT_EQ(run.request(), "takeover 'QabcdThusab.' 989 stop@0 min 5 think");
}

TEST(relay, the_token_of_think_end_ends_the_thinking_whoever_wrote_it) {
  for (const bool by_target : {true, false}) {
    ScriptedRun run(relay());
    if (!by_target) run.answer("abcdThus");
    run.answer("ab</think>");
    EXPECT_EQ(run.request().substr(0, 7), "segment") << "the answer is the draft's, without a stop";
    EXPECT_EQ(run.request().find("stop"), std::string::npos);
    EXPECT_EQ(run.request().find("think"), run.request().find("think>'"));
    run.answer("Thus. now.<eos>");
    EXPECT_EQ(run.request(), "");
    const RunResult result = run.schedule().result();
    EXPECT_EQ(result.finish_reason, FinishReason::stop);
    EXPECT_EQ(result.origins.back(), Origin::draft);
    EXPECT_EQ(result.segments.back().why, by_target ? "answer" : "");
  }
}

TEST(relay, the_answer_can_be_the_targets) {
  ScheduleSettings settings = relay();
  settings.answer_by = Role::target;
  ScriptedRun run(settings, 20);
  run.answer("abcdThus").answer("a</think>");
  EXPECT_EQ(run.request(), "takeover 'QabcdThusa</think>' 10");
  run.answer("0123456789");
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.finish_reason, FinishReason::length);
  EXPECT_EQ(result.ledger.target, 18);
  EXPECT_EQ(result.num_validations, 2);
}

TEST(relay, an_empty_answer_is_an_answer) {
  ScriptedRun run(relay());
  run.answer("abcde</think>").answer("<eos>");
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.finish_reason, FinishReason::stop);
  EXPECT_EQ(result.text, "abcde</think>");
  ScriptedRun full(relay(), 6);
  full.answer("abcde</think>");
  EXPECT_EQ(full.request(), "");
  EXPECT_EQ(full.schedule().result().finish_reason, FinishReason::length);
}

TEST(relay, without_the_token_the_thinking_never_ends) {
  ScriptedRun run(relay(), 1000, "Q", /*with_think_end=*/false);
  EXPECT_EQ(run.request(), "takeover 'Q' 1000 stop@0 min 5");
  run.answer("ab</think>Thus").answer("x.");
  EXPECT_EQ(run.request().substr(0, 8), "takeover");
}

TEST(relay, a_prompt_that_has_ended_the_thinking_asks_for_the_answer) {
  ScriptedRun run(relay(), 1000, "Q</think>\n\n");
  EXPECT_EQ(run.request(), "segment 'Q</think>\n\n' 1000");
  ScriptedRun earlier(relay(), 1000, "Q</think>abc");  // an earlier turn's
  EXPECT_EQ(earlier.request().substr(0, 8), "takeover");
}

TEST(relay, ends_at_an_eos_of_either_model_and_at_the_limit) {
  ScriptedRun run(relay());
  run.answer("abcdThus").answer("a<end>b.");  // the draft writes past the target's EOS
  EXPECT_EQ(run.request(), "");
  EXPECT_EQ(run.schedule().result().finish_reason, FinishReason::stop);
  ScriptedRun limited(relay(), 10);
  limited.answer("abcdThus");
  EXPECT_EQ(limited.request(), "segment 'QabcdThus' 2 stop@0 think");
  limited.answer("x.");
  EXPECT_EQ(limited.request(), "");
  EXPECT_EQ(limited.schedule().result().finish_reason, FinishReason::length);
  EXPECT_EQ(limited.schedule().result().ids.size(), 10u);
}

TEST(relay, looks_at_the_clock_before_every_request) {
  double now = 0;
  ScheduleSettings settings = relay();
  settings.time_out = 5;
  ScriptedRun run(settings);
  run.setup.elapsed_seconds = [&now] { return now; };
  run.answer("abcdThus");
  now = 6;
  run.answer("x.");
  EXPECT_EQ(run.request(), "");
  EXPECT_EQ(run.schedule().result().finish_reason, FinishReason::time_out);
  EXPECT_EQ(run.schedule().result().text, "abcdThusx.");
}

TEST(relay, an_interrupted_run_holds_what_was_written) {
  ScriptedRun run(relay());
  run.answer("abcdThus");
  run.schedule().interrupt();
  EXPECT_EQ(run.schedule().result().finish_reason, FinishReason::interrupted);
  EXPECT_EQ(run.schedule().result().text, "abcdThus");
}

}  // namespace
}  // namespace specthink
