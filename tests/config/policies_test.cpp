// The policies' settings: what each needs, and what none of the chosen ones uses.
#include "specthink/config/policies.h"

#include "config/invocation_helpers.h"

namespace specthink {
namespace {

const std::vector<std::string> kRelay{"generate", "--policy", "relay", "--cues", "qwen3"};

std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(policies, have_names) {
  for (const Policy policy : kPolicies) EXPECT_EQ(find_policy(name_of(policy)), policy);
  EXPECT_FALSE(find_policy("sentimental"));
}

TEST(policies, old_configurations_mean_sentiment) {
  const Invocation given = parse({"bench", "--config", "configs/qwen3_1.7b_32b.yml"});
  EXPECT_EQ(given.settings.schedule.policy, Policy::sentiment);
  EXPECT_TRUE(given.idle_keys.empty());
}

TEST(policies, a_file_may_hold_keys_of_others_which_are_named) {
  const Invocation given = parse({"generate", "--config", "configs/demo.yml", "--policy", "relay", "--cues", "r1"});
  EXPECT_EQ(given.idle_keys, (std::vector<std::string>{"TRIGGER_TOKENS", "TARGET_VALIDATION_KEYWORDS", "choose_large",
                                                       "max_target_tokens", "original_recap_token_num"}));
  const Invocation random =
      parse({"generate", "--config", "configs/demo.yml", "--policy", "random", "--target-rate", "0.2"});
  EXPECT_EQ(random.idle_keys,
            (std::vector<std::string>{"TARGET_VALIDATION_KEYWORDS", "choose_large", "max_target_tokens"}));
}

TEST(policies, a_flag_or_variable_of_another_one_is_an_error) {
  expect_contains(flag_error({"generate", "--cues", "qwen3"}),
                  "flag --cues: cues belongs to policy relay, which is not chosen");
  expect_contains(flag_error(with(kRelay, {"--no-choose-large"})), "choose_large belongs to policy sentiment");
  expect_contains(flag_error(kRelay, {{"SPECTHINK_BEGIN", "true"}}), "environment SPECTHINK_BEGIN");
  expect_contains(flag_error(with(kRelay, {"--original-recap-token-num", "5"})), "sentiment or random");
  EXPECT_EQ(parse({"bench", "--policies", "relay,sentiment", "--cues", "r1", "--begin"}).settings.schedule.begin, true);
}

TEST(policies, cues_are_a_list_of_the_paper_or_texts) {
  EXPECT_EQ(parse(kRelay).settings.schedule.cues.size(), 28u);
  EXPECT_EQ(parse({"generate", "--policy", "relay", "--cues", "r1"}).settings.schedule.cues.size(), 25u);
  EXPECT_EQ(parse({"generate", "--policy", "relay", "--cues", "[\"So \", Now]"}).settings.schedule.cues,
            (std::vector<std::string>{"So ", "Now"}));
  expect_contains(flag_error({"generate", "--policy", "relay", "--cues", "qwen2"}), "expected qwen3, r1 or a list");
  EXPECT_EQ(option_of(parse(kRelay), "cues").value, "\"qwen3\"");
  const TemporaryFolder folder;
  const std::string file = folder.write("c.yml", "policy: relay\ncues: [\"Wait,\", \"hence\"]\n");
  EXPECT_EQ(parse({"generate", "--config", file}).settings.schedule.cues, (std::vector<std::string>{"Wait,", "hence"}));
}

TEST(policies, need_what_they_go_by) {
  const std::string no_cues = flag_error({"generate", "--policy", "relay"});
  expect_contains(no_cues, "qwen3");
  expect_contains(no_cues, "r1");
  expect_contains(flag_error({"bench", "--policies", "target,relay"}), "policy relay needs cues");
  expect_contains(flag_error({"generate", "--policy", "random"}), "target_rate");
  expect_contains(flag_error({"generate", "--policy", "random", "--target-rate", "1.5"}), "0 to 1, or auto");
  expect_contains(flag_error({"generate", "--policy", "random", "--target-rate", "auto"}), "--match-share");
  expect_contains(flag_error({"generate", "--policy", "random", "--target-rate", "0.1", "--match-share", "x.json"}),
                  "go together");
  const ScheduleSettings schedule =
      parse({"generate", "--policy", "random", "--target-rate", "auto", "--match-share", "x.json"}).settings.schedule;
  EXPECT_TRUE(schedule.target_rate->automatic);
}

TEST(policies, but_sentiment_need_the_fixed_loop_of_mode_vllm) {
  expect_contains(flag_error(with(kRelay, {"--compat", "original"})), "policy relay needs compat: fixed");
  for (const char* mode : {"vllm_p", "hf"}) {
    expect_contains(flag_error({"generate", "--policy", "target", "--mode", mode}), "policy target needs mode: vllm");
  }
  parse({"generate", "--policy", "sentiment", "--compat", "original"});
}

TEST(policies, a_thinking_budget_needs_it_too) {
  EXPECT_EQ(parse({"generate", "--thinking-budget", "100"}).settings.schedule.thinking_budget, 100);
  expect_contains(flag_error({"generate", "--draft", "d", "--thinking-budget", "100", "--compat", "original"}),
                  "thinking_budget needs compat: fixed");
  parse({"generate", "--draft", "none", "--thinking-budget", "100", "--compat", "original"});  // one model alone
  expect_contains(flag_error({"generate", "--thinking-budget", "-1"}), "thinking-budget");
}

TEST(policies, of_a_comparison_are_known_and_given_once) {
  const Invocation given =
      parse({"bench", "--policies", "sentiment,relay,random", "--cues", "r1", "--target-rate", "0.5"});
  EXPECT_EQ(given.settings.bench.policies, (std::vector{Policy::sentiment, Policy::relay, Policy::random}));
  expect_contains(flag_error({"bench", "--policies", "sentiment,rely"}), "did you mean 'relay'?");
  expect_contains(flag_error({"bench", "--policies", "target,target"}), "given twice");
  expect_contains(flag_error({"bench", "--policies", "target", "--policy", "draft"}), "both given");
  const TemporaryFolder folder;
  const std::string file = folder.write("c.yml", "policies: [target, draft]\n");
  EXPECT_EQ(parse({"bench", "--config", file}).settings.bench.policies.size(), 2u);
}

TEST(policies, decide_which_settings_matter) {
  const Json sentiment = settings_that_affect(Affects::tokens, parse({"bench"}));
  EXPECT_FALSE(sentiment.contains("policy"));
  EXPECT_FALSE(sentiment.contains("cues"));
  EXPECT_FALSE(sentiment.contains("thinking_budget"));
  const Json relay = settings_that_affect(
      Affects::tokens, parse({"bench", "--policy", "relay", "--cues", "r1", "--thinking-budget", "9"}));
  EXPECT_EQ(relay.at("policy"), "relay");
  EXPECT_EQ(relay.at("cues"), "r1");
  EXPECT_EQ(relay.at("thinking_budget"), 9);
  EXPECT_FALSE(relay.contains("max_target_tokens"));
  EXPECT_TRUE(relay.contains("time_out"));
}

TEST(policies, shipped_configurations_load_without_idle_keys) {
  for (const char* pair : {"demo", "coder", "qwen3"}) {
    for (const Policy policy : kPolicies) {
      const std::string file = std::string("configs/policies/") + pair + "/" + name_of(policy) + ".yml";
      const Invocation given = parse({"bench", "--config", file});
      EXPECT_EQ(given.settings.schedule.policy, policy) << file;
      EXPECT_TRUE(given.idle_keys.empty()) << file;
      EXPECT_TRUE(std::filesystem::exists(given.settings.bench.task)) << file;
    }
  }
}

}  // namespace
}  // namespace specthink
