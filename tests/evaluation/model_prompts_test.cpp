#include "specthink/evaluation/model_prompts.h"

#include <gtest/gtest.h>

#include "fixtures.h"

namespace specthink {
namespace {

constexpr const char* kConfigs =
    "system_prompts:\n"
    "  short: &short \"Think.\"\n"
    "  filed: &filed\n"
    "    path: prompts/long.txt\n"
    "models:\n"
    "  Org/Big-7B:\n"
    "    system_prompt: *short\n"
    "  Org/Other:\n"
    "    system_prompt: *filed\n"
    "  Org/Asked:\n"
    "    system_prompt: null\n"
    "    user_template: \"Q: {}\\nA: \"\n"
    "  Org/Broken:\n"
    "    user_template: \"no slot\"\n";

TEST(model_prompts, by_model_and_by_name) {
  const TemporaryFolder folder;
  const auto file = folder.write("model_configs.yaml", kConfigs);
  EXPECT_EQ(prompts_of_model(file, "Org/Big-7B").system_prompt, "Think.");
  EXPECT_EQ(prompts_of_model(file, "/models/Big-7B/").system_prompt, "Think.");
  EXPECT_FALSE(prompts_of_model(file, "Org/Unknown").system_prompt);
  const ModelPrompts asked = prompts_of_model(file, "Org/Asked");
  EXPECT_FALSE(asked.system_prompt);
  EXPECT_EQ(asked.user_message("1+1"), "Q: 1+1\nA: ");
  EXPECT_EQ(ModelPrompts().user_message("1+1"), "1+1");
  EXPECT_EQ(system_prompt_named(file, "short"), "Think.");
  folder.write("prompts/long.txt", "Think long.\n");
  EXPECT_EQ(system_prompt_named(file, "filed"), "Think long.\n");
  EXPECT_EQ(prompts_of_model(file, "Org/Other").system_prompt, "Think long.\n");
}

TEST(model_prompts, what_is_missing_or_wrong) {
  const TemporaryFolder folder;
  const auto file = folder.write("model_configs.yaml", kConfigs);
  expect_contains(message_of<UserError>([&] { system_prompt_named(file, "filed"); }),
                  "prompts/long.txt, which is not there");
  expect_contains(message_of<UserError>([&] { system_prompt_named(file, "shot"); }), "did you mean 'short'?");
  expect_contains(message_of<UserError>([&] { prompts_of_model(file, "Org/Broken"); }), "has no {} for the message");
  const auto empty = folder.write("empty.yaml", "models:\n  a: b\n");
  expect_contains(message_of<UserError>([&] { system_prompt_named(empty, "x"); }), "expected a map 'system_prompts'");
  expect_contains(message_of<UserError>([&] { prompts_of_model(empty, "a"); }), "expected a map in 'a'");
}

TEST(model_prompts, where_the_file_is) {
  const TemporaryFolder folder;
  EXPECT_EQ(find_model_configs("named.yaml", folder.path()), "named.yaml");
  expect_contains(message_of<UserError>([&] { find_model_configs("", folder.path()); }), "--model-configs");
  const auto below = folder.write("original/model_configs.yaml", "");
  EXPECT_EQ(find_model_configs("", folder.path()), below);
  const auto beside = folder.write("model_configs.yaml", "");
  EXPECT_EQ(find_model_configs("", folder.path()), beside);
}

TEST(model_prompts, the_file_as_users_have_it) {
  const auto file = shared_data() / "original" / "model_configs.yaml";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no shared data in " << shared_data();
  expect_contains(*prompts_of_model(file, "Qwen/Qwen3-32B").system_prompt, "Qwen");
  EXPECT_EQ(prompts_of_model(file, "openai/o1-mini").user_message("x"), "Question: x\nAnswer: ");
  expect_contains(system_prompt_named(file, "skythought"), "<|begin_of_thought|>");
  expect_contains(message_of<UserError>([&] { system_prompt_named(file, "prime_rl"); }), "system_prompts/prime.txt");
}

}  // namespace
}  // namespace specthink
