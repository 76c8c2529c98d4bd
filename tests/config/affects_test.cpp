// What settings affect, and where commands run.
#include <set>

#include "config/invocation_helpers.h"

namespace specthink {
namespace {

std::set<std::string> keys_of(const Json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

TEST(affects, the_settings_that_decide_the_tokens_of_a_benchmark) {
  const std::set<std::string> expected{
      // models
      "target_model_name", "speculative_model_name", "dtype", "device", "all_reduce", "decode_kernels", "dummy_weights",
      "max_model_len",
      // schedule
      "mode", "compat", "TRIGGER_TOKENS", "TARGET_VALIDATION_KEYWORDS", "help_think_word", "help_recap_words",
      "not_reasoning", "choose_large", "max_target_tokens", "begin", "begin_token_num", "original_recap_token_num",
      "recap_after_negative_num", "add_each_recap", "add_each_neg", "max_recap_token_num", "max_negative_num",
      "time_out",
      // sampling and task
      "temperature", "top_p", "top_k", "max_tokens", "seed", "ignore_eos", "task", "weights",
      // prompts
      "chat_template_kwargs", "choice_order", "model_prompts", "system_prompt", "system_prompt_template", "thinking"};
  const Invocation given = parse({"bench", "--seed", "7", "--compat", "seed", "--num-runs", "3"});
  const Json settings = settings_that_affect(Affects::tokens, given);
  EXPECT_EQ(keys_of(settings), expected);
  EXPECT_EQ(settings.at("seed"), 7);
  EXPECT_EQ(settings.at("compat"), "original");
}

TEST(affects, the_settings_that_decide_the_times_of_a_replay) {
  const Invocation given = parse({"replay", "--all-reduce", "nccl", "--oversubscribe-gpus", "--draft", "none"});
  const Json settings = settings_that_affect(Affects::times, given);
  std::set<std::string> expected{"target_model_name",
                                 "speculative_model_name",
                                 "dtype",
                                 "device",
                                 "all_reduce",
                                 "decode_kernels",
                                 "weights",
                                 "dummy_weights",
                                 "max_model_len",
                                 "oversubscribe_gpus",
                                 "temperature",
                                 "top_p",
                                 "top_k",
                                 "seed",
                                 "calibrate_steps",
                                 "draft_acceptance",
                                 "max_draft_tokens",
                                 "texts",
                                 "token_speculation",
                                 "tokenizer"};
  expected.insert({"batch", "reserve", "step_timeline"});
  EXPECT_EQ(keys_of(settings), expected);
  EXPECT_EQ(settings.at("all_reduce"), "nccl");
  EXPECT_EQ(settings.at("oversubscribe_gpus"), true);
  EXPECT_TRUE(settings.at("speculative_model_name").is_null());
  EXPECT_FALSE(settings_that_affect(Affects::tokens, given).contains("oversubscribe_gpus"));
}

TEST(affects, nothing_is_what_only_says_where_results_go_and_which_runs_there_are) {
  const Invocation one = parse({"bench", "--output-dir", "a", "--num-runs", "2", "--test-mode", "spec", "--resume"});
  const Invocation other = parse({"bench", "--output-dir", "b", "--part", "1/2", "--trace", "t", "--format", "json"});
  EXPECT_EQ(settings_that_affect(Affects::times, one), settings_that_affect(Affects::times, other));
}

TEST(commands, say_where_they_run) {
  for (const char* command : {"generate", "score", "bench", "replay"}) {
    EXPECT_EQ(parse({command}).runs_on, RunsOn::engine) << command;
  }
  EXPECT_EQ(parse({"doctor"}).runs_on, RunsOn::every_rank);
  for (const char* command : {"tokenize", "plan", "config", "merge", "bench-kernels"}) {
    EXPECT_EQ(parse({command}).runs_on, RunsOn::rank_0) << command;
  }
  EXPECT_EQ(parse({"bench-kernels"}).subcommand, kBenchKernels);
  EXPECT_EQ(parse({"bench-kernels"}).command, "bench-kernels");
}

}  // namespace
}  // namespace specthink
