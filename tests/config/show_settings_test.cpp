#include <gtest/gtest.h>

#include "config/invocation_helpers.h"
#include "config/option_table.h"

namespace specthink {
namespace {

using namespace config;

std::vector<std::string> values(const Invocation& invocation) {
  std::vector<std::string> result;
  for (const ResolvedOption& option : invocation.options) result.push_back(option.key + ": " + option.value);
  return result;
}

// The shown text, written to a file elsewhere, gives the same settings.
void expect_round_trip(const Invocation& first) {
  const TemporaryFolder elsewhere;
  const std::string path = elsewhere.write("shown.yml", settings_as_yaml(first));
  const Invocation second = parse({"config", "--config", path});
  EXPECT_EQ(values(second), values(first));
  EXPECT_EQ(second.settings.schedule, first.settings.schedule);
  EXPECT_EQ(second.settings.sampling, first.settings.sampling);
  for (const ResolvedOption& option : second.options) {
    const Option* row = find_option(option.key);
    const bool is_shown = row->belongs_to(kConfig) && row->group != Group::output;
    EXPECT_EQ(option.source.starts_with(path + ":"), is_shown);
  }
}

TEST(show_settings, defaults_round_trip) { expect_round_trip(parse({"config"})); }

TEST(show_settings, every_kind_of_value_round_trips) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "draft");
  const std::string path = folder.write(
      "in.yml",
      "target_model_name: \"org/True\"\nspeculative_model_name: draft\ntask: \"odd # name: \\\"x\\\".yml\"\n"
      "TRIGGER_TOKENS: [\"\\n\\n\", \"null\", 'true', '5', \"\\t \\\\\", \"é🙂\\x85\\u2028\\x7f\\x01\", \"# no\", "
      "': "
      "']\n"
      "TARGET_VALIDATION_KEYWORDS: {verify: [], negative: ['~'], positive: [yes, \"a'b\\\"c\"]}\n"
      "help_think_word: \"  Hmm,\\n\"\nhelp_recap_words: ''\nbegin: yes\ntime_out: 1.25\ntemperature: 1e-7\ntop_k: -1\n"
      "seed: 18446744073709551615\ngpu_memory_utilization: [0.1, 0.2]\ndtype: float32\nmode: vllm_p\ncompat: seed\n");
  const Invocation given = parse({"config", "--config", path, "--output-dir", "relative/out", "--num-runs", "3"});
  ASSERT_EQ(given.settings.schedule.trigger_tokens[5], "é🙂\u0085\u2028\x7f\x01");
  expect_round_trip(given);
}

TEST(show_settings, sources_stand_behind_the_values) {
  const TemporaryFolder folder;
  const std::string path = folder.write("in.yml", "begin: true\nmax_target_tokens: 20\n");
  const std::string yaml =
      settings_as_yaml(parse({"config", "--config", path, "--top-k", "-1"}, {{"SPECTHINK_SEED", "4"}}));
  expect_contains(yaml, "\nmax_target_tokens: 20  # " + path + ":2\n");
  expect_contains(yaml, "\ntop_k: 0  # flag --top-k\n");
  expect_contains(yaml, "\nseed: 4  # environment SPECTHINK_SEED\n");
  expect_contains(yaml, "\nmode: \"vllm\"  # default\n");
}

TEST(show_settings, an_older_files_words_equal_todays) {
  EXPECT_EQ(with_current_words({{"compat", "seed"}, {"replay_loop", "seed"}, {"seed", 3}, {"task", "seed"}}),
            Json({{"compat", "original"}, {"replay_loop", "original"}, {"seed", 3}, {"task", "seed"}}));
  EXPECT_EQ(with_current_words({{"compat", 1}, {"no_setting", "seed"}}), Json({{"compat", 1}, {"no_setting", "seed"}}));
  EXPECT_EQ(with_current_words({{"decode_kernels", true}, {"thinking", true}, {"compat", false}}),
            Json({{"decode_kernels", "auto"}, {"thinking", true}, {"compat", false}}));
}

TEST(show_settings, a_file_name_cannot_break_out_of_its_comment) {
  const TemporaryFolder folder;
  const std::string path = folder.write("a\nseed: 7 \xff.yml", "begin: true\n");
  expect_round_trip(parse({"config", "--config", path}));
}

TEST(show_settings, json_has_value_and_source) {
  const Json json = settings_as_json(parse({"config", "--seed", "18446744073709551615", "--draft", "none"}));
  const Json& settings = json.at("settings");
  EXPECT_EQ(settings.at("seed").at("value").get<std::uint64_t>(), UINT64_MAX);
  EXPECT_EQ(settings.at("seed").at("source"), "flag --seed");
  EXPECT_TRUE(settings.at("speculative_model_name").at("value").is_null());
  EXPECT_EQ(settings.at("TRIGGER_TOKENS").at("value"), Json({"\n\n"}));
  EXPECT_EQ(settings.at("TARGET_VALIDATION_KEYWORDS").at("value").at("verify").size(), 4u);
  EXPECT_EQ(settings.at("temperature").at("source"), "default");
}

TEST(show_settings, shows_what_describes_a_setup_and_no_inputs) {
  const Json settings = settings_as_json(parse({"config"})).at("settings");
  for (const Option& option : option_table()) {
    const bool describes_setup = option.group == Group::models || option.group == Group::ranks ||
                                 option.group == Group::schedule || option.group == Group::policy ||
                                 option.group == Group::sampling ||
                                 option.group == Group::bench || option.group == Group::prompts ||
                                 (option.group == Group::judging && option.belongs_to(kConfig));
    EXPECT_EQ(settings.contains(option.key), describes_setup) << option.key;
  }
}

}  // namespace
}  // namespace specthink
