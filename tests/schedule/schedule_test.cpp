// What every schedule does: setting up, normal mode, settled text, interruption, the trace.
#include <gtest/gtest.h>

#include <string>

#include "schedule/scripted_run.h"
#include "specthink/base/error.h"

namespace specthink {
namespace {

using testing::ScriptedRun;

std::string user_error_of(const RunSetup& setup) {
  try {
    make_schedule(setup);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no UserError";
}

RunSetup normal_setup() {
  RunSetup setup;
  setup.settings = testing::default_settings();
  setup.normal_mode = true;
  setup.eos_ids = {7, 8};
  setup.prompt = {1, 2, 3};
  setup.max_tokens = 10;
  setup.max_model_len = 32768;
  return setup;
}

TEST(schedule, each_mode_but_vllm_runs_the_original_loop) {
  ScheduleSettings settings = testing::default_settings();
  EXPECT_FALSE(uses_original_loop(settings));
  for (const Mode mode : {Mode::vllm_p, Mode::hf}) {
    settings.mode = mode;
    EXPECT_TRUE(uses_original_loop(settings));
  }
}

TEST(schedule, a_draft_needs_a_tokenizer) {
  ScriptedRun run(testing::default_settings());
  run.setup.tokenizer = nullptr;
  EXPECT_NE(user_error_of(run.setup).find("the target folder needs a tokenizer.json"), std::string::npos);
}

TEST(schedule, a_prompt_that_fills_the_context_is_a_user_error) {
  RunSetup setup = normal_setup();
  setup.max_model_len = 3;
  EXPECT_TRUE(user_error_of(setup).starts_with("the prompt has 3 tokens, but prompt and answer together may have 3"));
  ScriptedRun run(testing::default_settings(), 10, "QQQQ");
  run.setup.max_model_len = 4;
  EXPECT_TRUE(user_error_of(run.setup).starts_with("the prompt has 4 tokens"));
  setup.prompt.clear();
  EXPECT_TRUE(user_error_of(setup).starts_with("the prompt has no tokens"));
}

TEST(schedule, normal_mode_is_one_request_and_needs_no_tokenizer) {
  const auto schedule = make_schedule(normal_setup());
  const Request* request = schedule->request();
  ASSERT_NE(request, nullptr);
  EXPECT_EQ(request->role, Role::target);
  EXPECT_EQ(request->purpose, Purpose::takeover);
  EXPECT_EQ(request->max_tokens, 10);
  EXPECT_EQ(request->stops, nullptr);
  EXPECT_EQ(TokenIds(request->prefix.begin(), request->prefix.end()), (TokenIds{1, 2, 3}));
  schedule->resume(TokenIds{4, 5, 8}, EndReason::eos);
  EXPECT_EQ(schedule->request(), nullptr);
  const RunResult result = schedule->result();
  EXPECT_EQ(result.ids, (TokenIds{4, 5, 8}));
  EXPECT_EQ(result.origins, std::vector<Origin>(3, Origin::target));
  EXPECT_EQ(result.finish_reason, FinishReason::stop);
  EXPECT_EQ(result.text, "");
  EXPECT_EQ(result.num_validations, 0);
  EXPECT_DOUBLE_EQ(result.ledger.target_share(), 1.0);
  EXPECT_DOUBLE_EQ(result.ledger.nominal_target_share(), 1.0);
}

TEST(schedule, the_draft_can_be_alone_too) {
  RunSetup setup = normal_setup();
  setup.normal_role = Role::draft;
  const auto schedule = make_schedule(setup);
  ASSERT_NE(schedule->request(), nullptr);
  EXPECT_EQ(schedule->request()->role, Role::draft);
  EXPECT_EQ(schedule->request()->stops, nullptr);
  schedule->resume(TokenIds{4, 5, 8}, EndReason::eos);
  const RunResult result = schedule->result();
  EXPECT_EQ(result.origins, std::vector<Origin>(3, Origin::draft));
  EXPECT_EQ(result.ledger.draft, 3);
  EXPECT_DOUBLE_EQ(result.ledger.nominal_target_share(), 0);
}

TEST(schedule, normal_mode_is_limited_by_the_context) {
  RunSetup setup = normal_setup();
  setup.max_tokens = 40000;
  EXPECT_EQ(make_schedule(setup)->request()->max_tokens, 32765);
  setup.max_model_len = 100;
  EXPECT_EQ(make_schedule(setup)->request()->max_tokens, 97);
  setup.settings.compat = Compat::original;
  EXPECT_EQ(make_schedule(setup)->request()->max_tokens, 97);
  setup.max_model_len = 32768;
  EXPECT_EQ(make_schedule(setup)->request()->max_tokens, 31741);
  setup.prompt.assign(32000, 1);
  const auto schedule = make_schedule(setup);
  EXPECT_EQ(schedule->request(), nullptr);
  EXPECT_EQ(schedule->result().finish_reason, FinishReason::length);
}

TEST(schedule, normal_mode_ends_with_length_when_no_eos_came) {
  RunSetup setup = normal_setup();
  setup.ignore_eos = true;
  const auto schedule = make_schedule(setup);
  schedule->resume(TokenIds{4, 8, 8}, EndReason::length);
  EXPECT_EQ(schedule->result().finish_reason, FinishReason::length);
}

TEST(schedule, normal_mode_ends_with_length_behind_an_eos_of_the_other_model) {
  const auto schedule = make_schedule(normal_setup());
  schedule->resume(TokenIds{4, 7, 5}, EndReason::length);  // 7 is on the list of the draft, which is not asked
  EXPECT_EQ(schedule->result().ids, (TokenIds{4, 7, 5}));
  EXPECT_EQ(schedule->result().finish_reason, FinishReason::length);
}

TEST(schedule, an_interrupted_run_holds_its_settled_text) {
  ScheduleSettings settings = testing::default_settings();
  settings.help_think_word = "Hm";
  ScriptedRun run(settings);
  run.answer("so.\n\n").answer("wait");
  EXPECT_EQ(run.request(), "answer 'Qso.\n\nHm' 20");
  run.schedule().interrupt();
  EXPECT_EQ(run.request(), "");
  const RunResult result = run.schedule().result();
  EXPECT_EQ(result.finish_reason, FinishReason::interrupted);
  EXPECT_EQ(result.text, "so.\n\n");
  EXPECT_EQ(result.origins.size(), 2u);
  EXPECT_EQ(result.ledger.draft, 2);
  EXPECT_EQ(result.ledger.draft_wasted, 1);
  EXPECT_EQ(result.ledger.injected, 0);
}

TEST(schedule, an_interruption_after_the_end_changes_nothing) {
  ScriptedRun run(testing::default_settings());
  run.answer("<eos>");
  run.schedule().interrupt();
  EXPECT_EQ(run.schedule().result().finish_reason, FinishReason::stop);
}

TEST(schedule, misuse_is_an_internal_error) {
  ScriptedRun run(testing::default_settings(), 3);
  EXPECT_THROW(run.schedule().result(), InternalError);
  EXPECT_THROW(run.schedule().resume({}, EndReason::length), InternalError);
  EXPECT_THROW(run.schedule().resume(TokenIds{65, 65, 65, 65}, EndReason::length), InternalError);
  run.answer("<eos>");
  EXPECT_THROW(run.schedule().resume(TokenIds{65}, EndReason::length), InternalError);
}

TEST(schedule, a_reason_that_the_request_does_not_allow_is_an_internal_error) {
  const auto normal = make_schedule(normal_setup());
  EXPECT_THROW(normal->resume(TokenIds{4}, EndReason::trigger), InternalError);
  RunSetup setup = normal_setup();
  setup.ignore_eos = true;
  EXPECT_THROW(make_schedule(setup)->resume(TokenIds{8}, EndReason::eos), InternalError);
}

TEST(schedule, the_trace_lists_requests_and_injections_in_order) {
  double now = 0;
  ScheduleSettings settings = testing::default_settings();
  settings.help_think_word = "Hm";
  ScriptedRun run(settings);
  run.setup.elapsed_seconds = [&now] { return now; };
  EXPECT_EQ(run.request(), "segment 'Q' 1000 stop@0");
  now = 0.5;
  run.answer("so.\n\n");
  now = 0.75;
  run.answer("wait").answer("ok").answer("<eos>");
  EXPECT_EQ(run.schedule().result().segments, (std::vector<Segment>{{"draft", 2, 0, 500},
                                                                    {"inject", 2, 500, 0},
                                                                    {"probe", 1, 500, 250, 0},
                                                                    {"target", 2, 750, 0, -1, "negative \"wait\""},
                                                                    {"draft", 1, 750, 0}}));
}

TEST(schedule, the_trace_has_no_times_without_a_clock) {
  ScriptedRun run(testing::default_settings());
  run.answer("<eos>");
  const RunResult result = run.schedule().result();
  ASSERT_EQ(result.segments.size(), 1u);
  EXPECT_EQ(result.segments[0], (Segment{.by = "draft", .tokens = 1, .start_ms = -1, .ms = -1}));
}

TEST(schedule, ledgers_add_up) {
  Ledger sum{.draft = 6, .target = 3, .injected = 1, .nominal_target_tokens = 4};
  sum += Ledger{.draft = 1,
                .target = 2,
                .injected = 7,
                .draft_wasted = 4,
                .target_wasted = 5,
                .draft_prefilled = 8,
                .target_prefilled = 9,
                .nominal_target_tokens = 6};
  EXPECT_EQ(sum, (Ledger{.draft = 7,
                         .target = 5,
                         .injected = 8,
                         .draft_wasted = 4,
                         .target_wasted = 5,
                         .draft_prefilled = 8,
                         .target_prefilled = 9,
                         .nominal_target_tokens = 10}));
  EXPECT_EQ(sum.nominal_target_share(), 0.5);
  EXPECT_EQ(sum.target_share(), 0.25);
  EXPECT_EQ(Ledger{}.target_share(), 0.0);
  EXPECT_EQ(Ledger{}.nominal_target_share(), 0.0);
}

}  // namespace
}  // namespace specthink
