// The rules of compat fixed, one test each, on a small tokenizer (words wait, yes, check, so; ".\n\n", "\n\n"; bytes).
#include <gtest/gtest.h>

#include "schedule/scripted_run.h"

namespace specthink {
namespace {

using testing::ScriptedRun;

ScheduleSettings short_probes() {
  ScheduleSettings settings = testing::default_settings();
  settings.max_target_tokens = 4;
  return settings;
}

TEST(schedule, fixed_keeps_a_neutral_probe_to_its_trigger_and_judges_the_rest) {
  ScriptedRun run(short_probes());
  EXPECT_EQ(run.request(), "segment 'Q' 1000 stop@0");
  run.answer("so.\n\n");
  EXPECT_EQ(run.request(), "probe 'Qso.\n\n' 4");
  run.answer("a\n\nbc");
  EXPECT_EQ(run.settled(), "so.\n\na\n\n");
  EXPECT_EQ(run.request(), "probe 'Qso.\n\na\n\nbc' 2");
  run.answer("de");
  EXPECT_EQ(run.settled(), "so.\n\na\n\nbcde");
  EXPECT_EQ(run.request(), "segment 'Qso.\n\na\n\nbcde' 992 stop@0");
}

TEST(schedule, fixed_finds_a_trigger_that_is_split_over_requests) {
  ScriptedRun run(short_probes());
  run.answer("so.\n\n").answer("abc\n");
  EXPECT_EQ(run.request(), "segment 'Qso.\n\nabc\n' 994 stop@1");
  run.answer("\n");
  EXPECT_EQ(run.request(), "probe 'Qso.\n\nabc\n\n' 4");
}

TEST(schedule, fixed_removes_the_help_word_with_a_neutral_probe_and_restores_the_matcher) {
  ScheduleSettings settings = short_probes();
  settings.trigger_tokens = {".", "\n\n"};
  settings.help_think_word = "Hm";
  ScriptedRun run(settings);
  const TokenIds dot_newline = run.encode(".\n");  // completes a trigger and begins another
  ASSERT_EQ(dot_newline.size(), 1u);
  const StopAutomaton::State after = run.triggers().step(StopAutomaton::kStart, dot_newline[0]).state;
  ASSERT_NE(after, StopAutomaton::kStart);
  run.answer("so.\n");
  EXPECT_EQ(run.request(), "probe 'Qso.\nHm' 4");
  EXPECT_EQ(run.settled(), "so.\n");
  run.answer("abcd");
  EXPECT_EQ(run.request(), "segment 'Qso.\n' 998 stop@" + std::to_string(after));
  run.answer("<eos>");
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.text, "so.\n");
  EXPECT_EQ(result.ledger.injected, 0);
  EXPECT_EQ(result.ledger.draft, 3);
  EXPECT_EQ(result.ledger.draft_wasted, 4);
}

TEST(schedule, fixed_keeps_the_help_word_when_the_target_was_asked) {
  ScheduleSettings settings = short_probes();
  settings.help_think_word = "Hm";
  ScriptedRun run(settings);
  run.answer("so.\n\n").answer("yesabc");
  EXPECT_EQ(run.request(), "answer 'Qso.\n\nHm' 4");
  EXPECT_EQ(run.settled(), "so.\n\n");
  run.answer("okok");
  EXPECT_EQ(run.settled(), "so.\n\nHmokok");
  EXPECT_EQ(run.request(), "segment 'Qso.\n\nHmokok' 992 stop@0");
  run.answer("<eos>");
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.ledger.injected, 2);
  EXPECT_EQ(result.ledger.target, 4);
  EXPECT_EQ(result.ledger.draft_wasted, 4);
  ASSERT_EQ(result.log.size(), 1u);
  EXPECT_EQ(to_json(result.log[0]),
            Json({{"pos", 4}, {"token_num", 4}, {"traget", "okok"}, {"speculative", "yesabc"}}));
}

TEST(schedule, fixed_lets_no_trigger_reach_over_injected_words) {
  ScheduleSettings settings = short_probes();
  settings.trigger_tokens = {".", "\n\n"};
  settings.help_think_word = "Hm";
  ScriptedRun run(settings);
  run.answer("so.\n").answer("yes").answer("\n");  // ".\n" had begun "\n\n"
  EXPECT_EQ(run.request().substr(0, 18), "segment 'Qso.\nHm\n'");
}

TEST(schedule, fixed_counts_kept_negative_thoughts_only) {
  ScheduleSettings settings = short_probes();
  settings.recap_after_negative_num = 1;
  ScriptedRun run(settings);
  run.answer("so.\n\n").answer("wait").answer("yes\n\n").answer("yes").answer("ok\n\n");
  EXPECT_EQ(run.request().substr(0, 5), "probe");
  run.answer("yes").answer("wait\n\n");
  EXPECT_EQ(run.request().substr(0, 8), "takeover");
}

TEST(schedule, fixed_asks_again_at_once_after_text_that_ends_in_a_trigger) {
  ScheduleSettings settings = short_probes();
  settings.begin = true;
  settings.begin_token_num = 3;
  ScriptedRun run(settings);
  EXPECT_EQ(run.request(), "takeover 'Q' 3");
  run.answer("a\n\n");
  EXPECT_EQ(run.request(), "probe 'Qa\n\n' 4");
  run.answer("yes").answer("b\n\n");
  EXPECT_EQ(run.request(), "probe 'Qa\n\nb\n\n' 4");
  run.answer("yes").answer("\n\nb");  // a trigger in the middle has no effect
  EXPECT_EQ(run.request(), "segment 'Qa\n\nb\n\n\n\nb' 994 stop@0");
}

// Which rule made whom write: in the trace with each request of the target, in the ledger where the writer changed.
TEST(schedule, fixed_says_which_rule_asked_the_target) {
  ScheduleSettings settings = short_probes();
  settings.begin = true;
  settings.begin_token_num = 3;
  settings.choose_large = false;
  settings.help_recap_words = "R:";
  settings.recap_after_negative_num = 1;
  settings.original_recap_token_num = 2;
  ScriptedRun run(settings);
  run.answer("abc");                                           // begin
  run.answer("so.\n\n").answer("yes").answer("ok.");           // positive to neutral: rejected, the draft's probe stays
  run.answer("so.\n\n").answer("yes").answer("wait\n\n");      // positive to negative: kept, and a recap is due at once
  run.answer("ab");                                            // the recap
  run.answer("so.\n\n").answer("wait").answer("yesyescheck");  // kept; a verify word
  run.answer("xy").answer("<eos>");
  const RunResult result = run.schedule().result();
  std::vector<std::string> reasons;
  for (const Segment& segment : result.segments) {
    EXPECT_EQ(segment.by == "target", !segment.why.empty()) << segment.by << segment.why;
    if (segment.by == "target") reasons.push_back(segment.why);
  }
  EXPECT_EQ(reasons, (std::vector<std::string>{"begin", "positive \"yes\"", "positive \"yes\"", "recap 1",
                                               "negative \"wait\"", "verify \"check\""}));
  EXPECT_EQ(result.ledger.hand_overs,
            (std::map<std::string, std::int64_t>{{"begin", 1}, {"negative", 1}, {"positive", 1}}))
      << "an answer that was rejected, and passages behind another of the target's, are no change of the writer";
}

// A neutral probe stays up to its trigger; what is behind it belongs to the next decision.
TEST(schedule, fixed_says_what_of_each_request_stayed) {
  ScheduleSettings settings = short_probes();
  settings.choose_large = false;
  ScriptedRun run(settings);
  const auto kept = [&] {
    std::vector<std::pair<std::string, int>> result;
    for (const Segment& segment : run.schedule().result().segments) result.emplace_back(segment.by, segment.kept);
    return result;
  };
  run.answer("so.\n\n").answer("a\n\nbc");  // neutral: "a" and the trigger stay
  EXPECT_EQ(run.request(), "probe 'Qso.\n\na\n\nbc' 2");
  run.answer("yes\n\n").answer("ok");  // positive to neutral: the answer is rejected, the probe stays
  run.answer("yes").answer("wait");    // positive to negative: the answer stays instead
  run.answer("<eos>");
  EXPECT_EQ(
      kept(),
      (std::vector<std::pair<std::string, int>>{
          {"draft", -1}, {"probe", 4}, {"probe", 2}, {"target", 0}, {"probe", 0}, {"target", -1}, {"draft", -1}}));
}

TEST(schedule, fixed_says_that_a_withdrawn_word_did_not_stay) {
  ScheduleSettings settings = short_probes();
  settings.help_think_word = "H:";
  ScriptedRun run(settings);
  run.answer("so.\n\n").answer("abc").answer("de<eos>");  // neutral: the word and the probe go
  const RunResult result = run.schedule().result();
  ASSERT_EQ(result.segments.size(), 4u);
  EXPECT_EQ(result.segments[1].by, "inject");
  EXPECT_EQ(result.segments[1].kept, 0);
  EXPECT_EQ(result.segments[2].kept, 0);
}

TEST(schedule, fixed_asks_about_neutral_probes_when_told_to) {
  ScheduleSettings settings = short_probes();
  settings.not_reasoning = true;
  ScriptedRun run(settings);
  run.answer("so.\n\n").answer("ok").answer("ok").answer("<eos>");
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.segments[2].why, "not_reasoning");
  EXPECT_EQ(result.ledger.hand_overs, (std::map<std::string, std::int64_t>{{"not_reasoning", 1}}));
}

TEST(schedule, fixed_takes_no_notice_of_eos_in_rejected_text) {
  ScheduleSettings settings = short_probes();
  settings.choose_large = false;
  ScriptedRun run(settings);
  run.answer("so.\n\n").answer("wait<eos>").answer("ok");  // neutral after negative: the answer stays
  EXPECT_EQ(run.request(), "segment 'Qso.\n\nok' 996 stop@0");
  run.answer(".\n\n").answer("waitab").answer("wait<end>");  // negative after negative: the probe stays
  EXPECT_EQ(run.request(), "segment 'Qso.\n\nok.\n\nwaitab' 992 stop@0");
  EXPECT_EQ(run.schedule().settled_origins().back(), Origin::draft);
  run.answer(".\n\n").answer("yes").answer("check<end>");  // before the verify word's takeover
  EXPECT_EQ(run.request(), "");
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.finish_reason, FinishReason::stop);
  EXPECT_EQ(result.num_validations, 3);
  EXPECT_EQ(result.ledger.target_wasted, 2);
  EXPECT_EQ(result.ledger.draft_wasted, 3);
}

TEST(schedule, fixed_leaves_a_rest_with_eos_undecided_until_its_probe) {
  ScriptedRun run(short_probes());
  run.answer("so.\n\n").answer("\n\na<eos>");  // EOS behind the trigger: three tokens are all of the probe
  EXPECT_EQ(run.request(), "");                // its rest asks for no more, is neutral and stays
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.finish_reason, FinishReason::stop);
  EXPECT_EQ(result.text, "so.\n\n\n\na");
  EXPECT_EQ(result.ids.back(), run.setup.eos_ids[0]);
  EXPECT_EQ(result.ledger.draft_wasted, 0);
}

TEST(schedule, fixed_recaps_after_negative_thoughts_and_drops_the_rest) {
  ScheduleSettings settings = short_probes();
  settings.help_recap_words = "R:";
  settings.recap_after_negative_num = 1;
  settings.add_each_neg = 1;
  settings.max_negative_num = 2;
  settings.original_recap_token_num = 10;
  settings.add_each_recap = 5;
  settings.max_recap_token_num = 12;
  ScriptedRun run(settings);
  run.answer("so.\n\n").answer("wait").answer("wait\n\n");
  EXPECT_EQ(run.request(), "takeover 'Qso.\n\nwait\n\nR:' 10");
  EXPECT_EQ(run.settled(), "so.\n\nwait\n\n");
  run.answer("x\n\n");
  for (int thought = 0; thought < 2; ++thought) {
    EXPECT_EQ(run.request().substr(0, 5), "probe");
    run.answer("wait").answer("wait\n\n");
  }
  EXPECT_EQ(run.request(), "takeover 'Qso.\n\nwait\n\nR:x\n\nwait\n\nwait\n\nR:' 12");
}

TEST(schedule, fixed_ends_at_eos_before_a_probes_trigger_and_drops_what_follows) {
  ScriptedRun run(short_probes());
  run.answer("so.\n\n").answer("<end>a\n\nb");  // an EOS of the target's list, which the draft writes past
  EXPECT_EQ(run.request(), "");
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.finish_reason, FinishReason::stop);
  EXPECT_EQ(result.text, "so.\n\na\n\n");
  EXPECT_EQ(result.ledger.draft, 5);
  EXPECT_EQ(result.ledger.draft_wasted, 1);
}

TEST(schedule, fixed_ends_with_a_segment_that_holds_an_eos_of_the_target) {
  ScriptedRun run(short_probes());
  run.answer("so<end>.\n\n");  // which the draft writes past, up to a trigger
  EXPECT_EQ(run.request(), "");
  EXPECT_EQ(run.schedule().result().finish_reason, FinishReason::stop);
}

TEST(schedule, fixed_goes_by_the_reason_that_a_segment_comes_with) {
  ScriptedRun run(short_probes());
  run.schedule().resume(run.encode("so"), EndReason::trigger);
  EXPECT_EQ(run.request(), "probe 'Qso' 4");
  ScriptedRun other(short_probes());
  other.schedule().resume(other.encode("so"), EndReason::eos);
  EXPECT_EQ(other.request(), "");
  EXPECT_EQ(other.schedule().result().finish_reason, FinishReason::stop);
}

TEST(schedule, fixed_never_writes_more_than_its_limit) {
  ScriptedRun run(short_probes(), 6);
  EXPECT_EQ(run.request(), "segment 'Q' 6 stop@0");
  run.answer("so.\n\n").answer("wait").answer("checkabc");
  EXPECT_EQ(run.request(), "");  // nothing is left for the verify word's takeover
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.finish_reason, FinishReason::length);
  EXPECT_EQ(result.ids.size(), 6u);
  EXPECT_EQ(result.num_validations, 1);
}

TEST(schedule, fixed_cuts_probes_and_injected_words_to_what_is_left) {
  ScheduleSettings settings = short_probes();
  settings.help_think_word = "Hm";
  ScriptedRun run(settings, 5);
  run.answer("so.\n\n");
  EXPECT_EQ(run.request(), "probe 'Qso.\n\nHm' 1");
  run.answer("a");
  EXPECT_EQ(run.request(), "segment 'Qso.\n\n' 3 stop@0");
  run.answer("a.\n\n");
  EXPECT_EQ(run.request(), "");
  EXPECT_EQ(run.schedule().result().text, "so.\n\na.\n\nH");
}

TEST(schedule, fixed_judges_a_rest_that_fills_the_limit_as_it_is) {
  ScriptedRun run(short_probes(), 5);
  run.answer("so.\n\n");
  EXPECT_EQ(run.request(), "probe 'Qso.\n\n' 3");
  run.answer("a\n\nb");
  EXPECT_EQ(run.request(), "");
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.text, "so.\n\na\n\nb");
  EXPECT_EQ(result.finish_reason, FinishReason::length);
}

TEST(schedule, fixed_limits_by_the_context) {
  ScriptedRun run(short_probes(), 1000, "QQQ");
  run.setup.max_model_len = 10;
  EXPECT_EQ(run.request(), "segment 'QQQ' 7 stop@0");
}

TEST(schedule, fixed_checks_the_time_before_every_request) {
  double now = 0;
  ScheduleSettings settings = short_probes();
  settings.time_out = 10;
  settings.help_think_word = "Hm";
  ScriptedRun run(settings);
  run.setup.elapsed_seconds = [&now] { return now; };
  run.answer("so.\n\n");
  now = 10.5;
  run.answer("wait");
  EXPECT_EQ(run.request(), "");
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.finish_reason, FinishReason::time_out);
  EXPECT_EQ(result.text, "so.\n\n");
  EXPECT_EQ(result.ledger.injected, 0);
  EXPECT_EQ(result.ledger.draft_wasted, 1);
  EXPECT_EQ(result.num_validations, 0);
}

TEST(schedule, fixed_writes_past_eos_when_told_to) {
  ScriptedRun run(short_probes(), 8);
  run.setup.ignore_eos = true;
  run.answer("<eos>.\n\n");
  EXPECT_EQ(run.request(), "probe 'Q<eos>.\n\n' 4");
  run.answer("\n\n<eos>ab");
  EXPECT_EQ(run.request(), "probe 'Q<eos>.\n\n\n\n<eos>ab' 1");
  run.answer("<eos>").answer("so");
  EXPECT_EQ(run.schedule().result().finish_reason, FinishReason::length);
}

}  // namespace
}  // namespace specthink
