// thinking_budget under each policy and for one model alone.
#include <gtest/gtest.h>

#include "schedule/scripted_run.h"
#include "specthink/base/error.h"

namespace specthink {
namespace {

using testing::ScriptedRun;

ScheduleSettings with(Policy policy, int budget) {
  ScheduleSettings settings = testing::default_settings();
  settings.policy = policy;
  settings.cues = {"Thus"};
  settings.target_rate = TargetRate{.probability = 1};
  settings.max_target_tokens = 4;
  settings.thinking_budget = budget;
  settings.thinking_budget_words = "E:";
  return settings;
}

TEST(thinking_budget, cuts_requests_and_injects_the_end) {
  ScriptedRun run(with(Policy::relay, 10));
  EXPECT_EQ(run.request(), "takeover 'Q' 10 stop@0 min 5 think");
  run.answer("abcdThus");
  EXPECT_EQ(run.request(), "segment 'QabcdThus' 2 stop@0 think");
  run.answer("ef");
  EXPECT_EQ(run.request(), "segment 'QabcdThusefE:</think>' 987");
  EXPECT_EQ(run.settled(), "abcdThusefE:</think>");
  run.answer("<eos>");
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.ledger.injected, 3);
  EXPECT_EQ(result.ledger.hand_overs.at("thinking_budget"), 1);
  EXPECT_EQ(result.segments[2].by, "inject");
  EXPECT_EQ(result.segments[2].why, "thinking_budget");
}

TEST(thinking_budget, is_reached_in_a_takeover) {
  ScriptedRun run(with(Policy::relay, 7));
  run.answer("abcdefg");
  EXPECT_EQ(run.request(), "segment 'QabcdefgE:</think>' 990");
}

TEST(thinking_budget, does_nothing_behind_the_end_of_the_thinking) {
  ScriptedRun run(with(Policy::draft, 4));
  run.answer("ab</think>");
  EXPECT_EQ(run.request(), "segment 'Qab</think>' 997");
  run.answer("<eos>");
  EXPECT_EQ(run.schedule().result().ledger.injected, 0);
}

TEST(thinking_budget, comes_after_an_eos) {
  ScriptedRun run(with(Policy::target, 3));
  run.answer("ab<eos>");
  EXPECT_EQ(run.request(), "");
  EXPECT_EQ(run.schedule().result().ledger.injected, 0);
}

TEST(thinking_budget, that_the_limit_does_not_reach_changes_nothing) {
  ScriptedRun run(with(Policy::target, 10), 10);
  run.answer("abcdefghij");
  EXPECT_EQ(run.request(), "");
  EXPECT_EQ(run.schedule().result().ledger.injected, 0);
  ScriptedRun cut(with(Policy::target, 9), 10);
  cut.answer("abcdefghi");
  EXPECT_EQ(cut.request(), "");
  EXPECT_EQ(cut.schedule().result().text, "abcdefghiE");
  EXPECT_EQ(cut.schedule().result().finish_reason, FinishReason::length);
}

TEST(thinking_budget, of_score_and_step_entropy_ends_their_steps) {
  ScriptedRun score(with(Policy::score, 5));
  EXPECT_EQ(score.request(), "probe 'Q' 5 stop@0 think");
  score.answer("abcde").answer_digit(9);
  EXPECT_EQ(score.request(), "segment 'QabcdeE:</think>' 992");
  ScriptedRun thrown(with(Policy::score, 5));
  thrown.setup.settings.score_threshold = 7;
  thrown.answer("abcde").answer_digit(0);
  EXPECT_EQ(thrown.request(), "takeover 'Q' 5 stop@0 think") << "what is thrown away was not generated";
  ScriptedRun steps(with(Policy::step_entropy, 3));
  steps.answer("a", EndReason::length, 0);
  EXPECT_EQ(steps.request(), "segment 'Qa' 2 stop@0 think");
  steps.answer("bc");
  EXPECT_EQ(steps.request(), "segment 'QabcE:</think>' 994");
}

TEST(thinking_budget, of_token_entropy_goes_on_with_the_rule) {
  ScriptedRun run(with(Policy::token_entropy, 3));
  EXPECT_EQ(run.request(), "segment 'Q' 3 think entropy");
  run.answer("abc", EndReason::uncertain, 1).answer("d");
  EXPECT_EQ(run.request(), "segment 'QabdE:</think>' 994 entropy");
}

TEST(thinking_budget, of_random_leaves_the_trigger_behind) {
  ScriptedRun run(with(Policy::random, 3));
  run.answer("ab\n\n");
  EXPECT_EQ(run.request(), "segment 'Qab\n\nE:</think>' 994 stop@0");
}

TEST(thinking_budget, of_sentiment_cuts_probes_and_drops_their_rest) {
  ScriptedRun run(with(Policy::sentiment, 8));
  EXPECT_EQ(run.request(), "segment 'Q' 8 stop@0");
  run.answer("so.\n\n");
  EXPECT_EQ(run.request(), "probe 'Qso.\n\n' 4");
  run.answer("a\n\nbc");
  EXPECT_EQ(run.request(), "probe 'Qso.\n\na\n\nbc' 2");
  run.answer("de");
  EXPECT_EQ(run.request(), "segment 'Qso.\n\na\n\nbcdeE:</think>' 989 stop@0");
  run.answer("f.\n\n");
  EXPECT_EQ(run.request().substr(0, 5), "probe") << "the rule goes on in the answer";
}

TEST(thinking_budget, of_sentiment_is_reached_at_a_trigger_and_in_a_takeover) {
  ScriptedRun run(with(Policy::sentiment, 2));
  run.answer("so.\n\n");
  EXPECT_EQ(run.request(), "segment 'Qso.\n\nE:</think>' 995 stop@0");
  ScheduleSettings settings = with(Policy::sentiment, 5);
  settings.begin = true;
  settings.begin_token_num = 9;
  ScriptedRun begun(settings);
  EXPECT_EQ(begun.request(), "takeover 'Q' 5");
  begun.answer("abc\n\n");
  begun.answer("d");
  EXPECT_EQ(begun.request(), "segment 'Qabc\n\ndE:</think>' 992 stop@0");
}

TEST(thinking_budget, takes_back_a_help_word_that_reaches_it) {
  ScheduleSettings settings = with(Policy::sentiment, 4);
  settings.help_think_word = "Hm";
  ScriptedRun run(settings);
  run.answer("so.\n\n");
  EXPECT_EQ(run.request(), "segment 'Qso.\n\nE:</think>' 995 stop@0");
  run.answer("<eos>");
  EXPECT_EQ(run.schedule().result().ledger.injected, 3);
}

TEST(thinking_budget, of_one_model_alone) {
  ScriptedRun run(with(Policy::sentiment, 3), 20);
  run.setup.normal_mode = true;
  EXPECT_EQ(run.request(), "takeover 'Q' 3 think");
  run.answer("abc");
  EXPECT_EQ(run.request(), "takeover 'QabcE:</think>' 14");
  run.answer("d<eos>");
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.finish_reason, FinishReason::stop);
  EXPECT_EQ(result.ledger.injected, 3);
  EXPECT_EQ(result.ledger.target, 5);
}

TEST(thinking_budget, needs_the_token) {
  ScriptedRun run(with(Policy::relay, 3), 10, "Q", /*with_think_end=*/false);
  try {
    run.schedule();
    FAIL();
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("no token </think>"), std::string::npos);
  }
}

}  // namespace
}  // namespace specthink
