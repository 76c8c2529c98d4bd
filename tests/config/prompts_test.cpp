// Settings of prompts.
#include "config/invocation_helpers.h"

namespace specthink {
namespace {

std::string kwargs_of(const std::vector<std::string>& arguments) {
  return parse(arguments).settings.evaluation.chat_template_kwargs;
}

TEST(prompts, chat_template_kwargs_in_json_and_yaml) {
  EXPECT_EQ(kwargs_of({"bench"}), "");
  EXPECT_EQ(kwargs_of({"bench", "--chat-template-kwargs", R"({"enable_thinking": false, "a": [1, "x"]})"}),
            R"({"a":[1,"x"],"enable_thinking":false})");
  const TemporaryFolder folder;
  const std::string file = folder.write(
      "c.yml", "chat_template_kwargs:\n  enable_thinking: false\n  n: 2\n  x: 1.5\n  s: 'true'\n  none: ~\n");
  EXPECT_EQ(kwargs_of({"bench", "--config", file}),
            R"({"enable_thinking":false,"n":2,"none":null,"s":"true","x":1.5})");
}

TEST(prompts, bad_kwargs) {
  for (const char* text : {"[1]", "1", "{", "x"}) {
    expect_contains(flag_error({"bench", "--chat-template-kwargs", text}), "--chat-template-kwargs");
  }
  expect_contains(flag_error({"bench", "--chat-template-kwargs", R"({"messages": []})"}), "not for the user to set");
}

TEST(prompts, two_ways_to_set_thinking) {
  const std::string off = R"({"enable_thinking": false})";
  EXPECT_NE(kwargs_of({"generate", "--chat-template-kwargs", off}), "");
  EXPECT_NE(kwargs_of({"generate", "--chat-template-kwargs", off, "--no-thinking"}), "");
  const std::string message = flag_error({"bench", "--chat-template-kwargs", off, "--thinking"});
  expect_contains(message, "enable_thinking: false");
  expect_contains(message, "flag --thinking says true");
  expect_contains(flag_error({"bench", "--chat-template-kwargs", R"({"enable_thinking": true})", "--no-thinking"}),
                  "leave out one of them");
}

TEST(prompts, judge_and_order_have_words) {
  EXPECT_EQ(parse({"bench"}).settings.evaluation.judge, JudgeMode::both);
  EXPECT_EQ(parse({"judge", "--judge", "math-verify"}).settings.evaluation.judge, JudgeMode::math_verify);
  EXPECT_EQ(parse({"bench", "--choice-order", "original"}).settings.evaluation.choice_order, ChoiceOrder::original);
  expect_contains(flag_error({"judge", "--judge", "sympy"}), "exact, math-verify, both");
}

}  // namespace
}  // namespace specthink
