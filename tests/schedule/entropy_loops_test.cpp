// Policies step_entropy and token_entropy: what the draft is sure of stays its own.
#include <gtest/gtest.h>

#include "schedule/scripted_run.h"
#include "specthink/base/error.h"

namespace specthink {
namespace {

using testing::ScriptedRun;

ScheduleSettings with(Policy policy) {
  ScheduleSettings settings = testing::default_settings();
  settings.policy = policy;
  settings.entropy_threshold = 0.5;
  return settings;
}

TEST(entropy_limit, is_the_setting_or_the_policys_own) {
  ScheduleSettings settings = with(Policy::step_entropy);
  EXPECT_EQ(entropy_limit(settings), 0.5);
  settings.entropy_threshold.reset();
  EXPECT_EQ(entropy_limit(settings), 1);
  settings.policy = Policy::token_entropy;
  EXPECT_EQ(entropy_limit(settings), 0.45);
}

TEST(step_entropy, the_draft_writes_steps_that_it_begins_surely) {
  ScriptedRun run(with(Policy::step_entropy));
  EXPECT_EQ(run.request(), "probe 'Q' 1 think statistics");
  run.answer("a", EndReason::length, 0.5f);  // not above
  EXPECT_EQ(run.settled(), "a");
  EXPECT_EQ(run.request(), "segment 'Qa' 999 stop@0 think");
  run.answer("b\n\n");
  EXPECT_EQ(run.request(), "probe 'Qab\n\n' 1 think statistics");
  run.answer("c", EndReason::length, 0.51f);
  EXPECT_EQ(run.settled(), "ab\n\n");
  EXPECT_EQ(run.request(), "takeover 'Qab\n\n' 997 stop@0 think");
  run.answer("d\n\n");
  EXPECT_EQ(run.request(), "probe 'Qab\n\nd\n\n' 1 think statistics");
  run.answer("<eos>", EndReason::eos, 0);
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.finish_reason, FinishReason::stop);
  EXPECT_EQ(result.ledger.draft, 4);
  EXPECT_EQ(result.ledger.draft_wasted, 1);
  EXPECT_EQ(result.ledger.target, 2);
  EXPECT_EQ(result.ledger.hand_overs, (std::map<std::string, std::int64_t>{{"entropy", 1}}));
  ASSERT_EQ(result.segments.size(), 5u);
  EXPECT_EQ(result.segments[0].kept, 1);
  EXPECT_EQ(result.segments[2].kept, 0);
  EXPECT_EQ(result.segments[3].why, "entropy 0.51");
}

TEST(step_entropy, an_eos_that_the_draft_is_unsure_of_means_nothing) {
  ScriptedRun run(with(Policy::step_entropy));
  run.answer("<eos>", EndReason::eos, 2);
  EXPECT_EQ(run.request().substr(0, 8), "takeover");
  run.answer("a</think>");
  EXPECT_EQ(run.request(), "segment 'Qa</think>' 998");
}

TEST(step_entropy, a_first_token_can_be_the_whole_step_or_the_end_of_the_thinking) {
  ScriptedRun run(with(Policy::step_entropy));
  run.answer(".\n\n", EndReason::length, 0);
  EXPECT_EQ(run.request(), "probe 'Q.\n\n' 1 think statistics");
  run.answer("\n", EndReason::length, 0);
  EXPECT_EQ(run.request(), "segment 'Q.\n\n\n' 998 stop@1 think") << "the matcher goes on over the looked-at token";
  run.answer("\n");
  run.answer("</think>", EndReason::stop_token, 0);
  EXPECT_EQ(run.request(), "segment 'Q.\n\n\n\n</think>' 996");
}

TEST(step_entropy, an_empty_answer_and_an_interruption) {
  ScriptedRun run(with(Policy::step_entropy));
  run.answer("a", EndReason::length, 2).answer("b</think>").answer("<eos>");
  EXPECT_EQ(run.schedule().result().finish_reason, FinishReason::stop);
  EXPECT_EQ(run.schedule().result().text, "b</think>");
  ScriptedRun stopped(with(Policy::step_entropy));
  stopped.answer("a", EndReason::length, 2);
  stopped.schedule().interrupt();
  EXPECT_EQ(stopped.schedule().result().finish_reason, FinishReason::interrupted);
  EXPECT_EQ(stopped.schedule().result().text, "") << "the looked-at token was refused";
}

TEST(step_entropy, ends_at_the_limit) {
  ScriptedRun run(with(Policy::step_entropy), 1);
  run.answer("a", EndReason::length, 0);
  EXPECT_EQ(run.request(), "");
  EXPECT_EQ(run.schedule().result().finish_reason, FinishReason::length);
}

TEST(token_entropy, the_target_writes_the_tokens_that_the_draft_is_unsure_of) {
  ScriptedRun run(with(Policy::token_entropy));
  EXPECT_EQ(run.request(), "segment 'Q' 1000 think entropy");
  run.answer("abc", EndReason::uncertain, 1.314f);
  EXPECT_EQ(run.settled(), "ab");
  EXPECT_EQ(run.request(), "takeover 'Qab' 1");
  run.answer("d");
  EXPECT_EQ(run.request(), "segment 'Qabd' 997 think entropy");
  run.answer("e", EndReason::uncertain, 0.6f).answer("f").answer("<eos>");
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.text, "abdf");
  EXPECT_EQ(result.ledger.draft, 3);
  EXPECT_EQ(result.ledger.draft_wasted, 2);
  EXPECT_EQ(result.ledger.target, 2);
  EXPECT_EQ(result.ledger.hand_overs, (std::map<std::string, std::int64_t>{{"entropy", 2}}));
  ASSERT_EQ(result.segments.size(), 5u);
  EXPECT_EQ(result.segments[0].kept, 2);
  EXPECT_EQ(result.segments[1].why, "entropy 1.31");
  EXPECT_EQ(result.segments[2].kept, 0);
  ASSERT_EQ(result.log.size(), 2u);
  EXPECT_EQ(to_json(result.log[0]), Json({{"pos", 2}, {"token_num", 1}, {"traget", "d"}, {"speculative", "c"}}));
}

TEST(token_entropy, the_rule_goes_on_in_the_answer) {
  ScriptedRun run(with(Policy::token_entropy));
  run.answer("a</think>");
  EXPECT_EQ(run.request(), "segment 'Qa</think>' 998 entropy");
  run.answer("b", EndReason::uncertain, 1);
  EXPECT_EQ(run.request(), "takeover 'Qa</think>' 1");
  run.answer("<eos>");
  EXPECT_EQ(run.schedule().result().finish_reason, FinishReason::stop);
}

TEST(token_entropy, the_target_can_end_the_thinking_or_the_run) {
  ScriptedRun run(with(Policy::token_entropy));
  run.answer("ab", EndReason::uncertain, 1).answer("</think>");
  EXPECT_EQ(run.request(), "segment 'Qa</think>' 998 entropy") << "the rule goes on behind it";
  run.answer("<eos>");
  EXPECT_EQ(run.schedule().result().text, "a</think>") << "an empty answer";
  ScriptedRun ended(with(Policy::token_entropy));
  ended.answer("ab", EndReason::uncertain, 1).answer("<eos>");
  EXPECT_EQ(ended.schedule().result().finish_reason, FinishReason::stop);
  ScriptedRun stopped(with(Policy::token_entropy));
  stopped.answer("ab", EndReason::uncertain, 1);
  stopped.schedule().interrupt();
  EXPECT_EQ(stopped.schedule().result().text, "a");
}

TEST(token_entropy, a_refused_end_means_nothing) {
  ScriptedRun run(with(Policy::token_entropy), 4);
  run.answer("a<eos>", EndReason::uncertain, 1);
  EXPECT_EQ(run.request(), "takeover 'Qa' 1");
  run.answer("b").answer("</think>", EndReason::uncertain, 1).answer("c");
  EXPECT_EQ(run.request(), "segment 'Qabc' 1 think entropy");
  run.answer("d");
  EXPECT_EQ(run.schedule().result().finish_reason, FinishReason::length);
  EXPECT_EQ(run.schedule().result().text, "abcd");
}

TEST(token_entropy, statistics_that_do_not_come_are_an_internal_error) {
  ScriptedRun run(with(Policy::token_entropy));
  EXPECT_THROW(run.schedule().resume(run.encode("ab"), EndReason::length), InternalError);
  ScriptedRun other(testing::default_settings());
  EXPECT_THROW(other.schedule().resume(other.encode("ab"), EndReason::uncertain), InternalError);
}

}  // namespace
}  // namespace specthink
