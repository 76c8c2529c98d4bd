// Which value holds, where it came from, and what a wrong file gets.
#include <gtest/gtest.h>

#include <set>

#include "config/invocation_helpers.h"
#include "config/option_table.h"

namespace specthink {
namespace {

namespace fs = std::filesystem;

std::string file_error(std::string_view yaml) {
  const TemporaryFolder folder;
  const std::string path = folder.write("x.yml", yaml);
  std::string error = flag_error({"bench", "--config", path});
  if (const auto at = error.find(path); at != error.npos) error.replace(at, path.size(), "x.yml");
  return error;
}

Invocation parse_file(std::string_view yaml) {
  const TemporaryFolder folder;
  return parse({"bench", "--config", folder.write("x.yml", yaml)});
}

TEST(resolution, defaults) {
  const Settings settings = parse({"bench"}).settings;
  EXPECT_EQ(settings, default_settings());
  EXPECT_EQ(settings.schedule.mode, Mode::vllm);
  EXPECT_EQ(settings.schedule.compat, Compat::fixed);
  EXPECT_EQ(settings.schedule.trigger_tokens, std::vector<std::string>{"\n\n"});
  EXPECT_EQ(settings.schedule.verify_words, (std::vector<std::string>{"verify", "think again", "recap", "check"}));
  EXPECT_EQ(settings.schedule.negative_words,
            (std::vector<std::string>{"wait", "alternatively", "hold on", "another"}));
  EXPECT_EQ(settings.schedule.positive_words, (std::vector<std::string>{"yeah", "yes", "final answer", "confident"}));
  EXPECT_EQ(settings.schedule.help_think_word, std::nullopt);
  EXPECT_EQ(settings.schedule.help_recap_words, "Let me check whether there are some wrong steps:");
  EXPECT_FALSE(settings.schedule.not_reasoning);
  EXPECT_TRUE(settings.schedule.choose_large);
  EXPECT_EQ(settings.schedule.max_target_tokens, 20);
  EXPECT_FALSE(settings.schedule.begin);
  EXPECT_EQ(settings.schedule.begin_token_num, 100);
  EXPECT_EQ(settings.schedule.original_recap_token_num, 125);
  EXPECT_EQ(settings.schedule.recap_after_negative_num, 15);
  EXPECT_EQ(settings.schedule.add_each_recap, 25);
  EXPECT_EQ(settings.schedule.add_each_neg, 5);
  EXPECT_EQ(settings.schedule.max_recap_token_num, 200);
  EXPECT_EQ(settings.schedule.max_negative_num, 30);
  EXPECT_EQ(settings.schedule.time_out, -1);
  EXPECT_EQ(settings.sampling.temperature, 0.6);
  EXPECT_EQ(settings.sampling.top_p, 0.95);
  EXPECT_EQ(settings.sampling.top_k, 20);
  EXPECT_EQ(settings.sampling.seed, 0u);
  EXPECT_EQ(settings.max_tokens, 32768);
  EXPECT_EQ(settings.models.max_model_len, 32768);
  EXPECT_EQ(settings.models.dtype, DType::bfloat16);
  EXPECT_EQ(settings.models.gpu_memory_utilization, std::nullopt);
  EXPECT_EQ(settings.models.target, "");
  EXPECT_EQ(settings.models.draft, std::nullopt);
  EXPECT_EQ(settings.bench.num_problems, 5);
  EXPECT_EQ(settings.bench.num_runs, 5);
  EXPECT_EQ(settings.bench.test_mode, TestMode::both);
  EXPECT_EQ(settings.bench.output_dir, "benchmark_results");
  EXPECT_EQ(settings.data_dir, "");
  EXPECT_TRUE(settings.generate.thinking);
}

TEST(resolution, each_layer_overrides_the_one_before) {
  const TemporaryFolder folder;
  const std::string path = folder.write("x.yml", "# a comment\nseed: 1\ntop_p: 0.5\nmax_tokens: 11\n");
  const Variables variables{{"SPECTHINK_SEED", "2"}, {"SPECTHINK_TOP_P", "0.6"}, {"SPECTHINK_NUM_RUNS", ""}};
  const Invocation given = parse({"bench", "--seed=3", "--config", path}, variables);
  EXPECT_EQ(given.settings.sampling.seed, 3u);
  EXPECT_EQ(given.settings.sampling.top_p, 0.6);
  EXPECT_EQ(given.settings.max_tokens, 11);
  EXPECT_EQ(given.settings.bench.num_runs, 5);
  EXPECT_EQ(option_of(given, "seed").source, "flag --seed");
  EXPECT_EQ(option_of(given, "top_p").source, "environment SPECTHINK_TOP_P");
  EXPECT_EQ(option_of(given, "max_tokens").source, path + ":4");
  EXPECT_EQ(option_of(given, "num_runs").source, "default");
  EXPECT_EQ(option_of(given, "max_tokens").value, "11");
  EXPECT_TRUE(given.was_set("seed"));
  EXPECT_TRUE(given.was_set("max_tokens"));
  EXPECT_FALSE(given.was_set("num_runs"));
  EXPECT_THROW(given.was_set("sed"), InternalError);
  EXPECT_EQ(given.config_path, path);
  EXPECT_TRUE(parse({"bench"}).config_path.empty());
}

TEST(resolution, overridden_values_are_checked_all_the_same) {
  const TemporaryFolder folder;
  const std::string path = folder.write("x.yml", "seed: x\n");
  expect_contains(flag_error({"bench", "--seed=3", "--config", path}), path + ":1: seed: expected an integer");
  expect_contains(flag_error({"bench", "--seed=3"}, {{"SPECTHINK_SEED", "x"}}),
                  "environment SPECTHINK_SEED: expected an integer");
}

TEST(resolution, every_setting_has_a_key_and_a_variable_for_every_command) {
  std::set<std::string> names;
  for (const Option& option : option_table()) {
    for (const std::string& name : {option.key, option.environment}) {
      EXPECT_TRUE(names.insert(name).second) << name << " names two things";
    }
    // A flag may mean another thing in another command.
    for (const CommandInfo& command : command_table()) {
      if (!option.belongs_to(command.bit)) continue;
      for (const std::string& flag : {option.flag, option.alias}) {
        if (flag.empty()) continue;
        EXPECT_TRUE(names.insert(command.name + " --" + flag).second) << command.name << " --" << flag;
      }
    }
    const bool is_input = option.group == Group::input && !option.is_boolean();
    const std::string value = to_flow_yaml(option.write(default_settings()));
    const TemporaryFolder folder;
    const std::string path = folder.write("x.yml", option.key + ": " + value + "\n");
    for (const char* command : {"plan", "bench"}) {
      const Invocation given = parse({command, "--config", path});
      EXPECT_EQ(option_of(given, option.key).source, path + ":1");
      EXPECT_EQ(option_of(given, option.key).value, value);
    }
    if (value == "null" || is_input) continue;
    const std::string text = value.starts_with('"') ? parse_json(value, "value").get<std::string>() : value;
    const Invocation given = parse({"plan"}, {{option.environment, text}});
    EXPECT_EQ(option_of(given, option.key).source, "environment " + option.environment);
    EXPECT_EQ(option_of(given, option.key).value, value);
  }
}

TEST(resolution, old_files_load) {
  const Invocation given = parse_file(R"(time_out: null
mode: "vllm_p" # 'hf' or "vllm"
target_model_name: "org/Large-32B"
speculative_model_name: null # "org/Small"
target_model_gpu: 2
speculative_model_gpu: 1

TRIGGER_TOKENS:
  - "\n\n"
  - Wait
TARGET_VALIDATION_KEYWORDS:
  positive: [yeah, yes, "final answer"]
  verify:
    - "check"
help_think_word: ~
help_recap_words: "Check:"
not_reasoning: yes
choose_large: False
begin: On
recap_after_negative_num: 3
add_each_recap: 0
)");
  const ScheduleSettings& schedule = given.settings.schedule;
  EXPECT_EQ(schedule.time_out, -1);
  EXPECT_EQ(schedule.mode, Mode::vllm_p);
  EXPECT_EQ(given.settings.models.target, "org/Large-32B");
  EXPECT_EQ(given.settings.models.draft, std::nullopt);
  EXPECT_EQ(given.settings.models.target_model_gpu, 2);
  EXPECT_EQ(given.settings.models.speculative_model_gpu, 1);
  EXPECT_TRUE(given.was_set("speculative_model_name"));
  EXPECT_EQ(schedule.trigger_tokens, (std::vector<std::string>{"\n\n", "Wait"}));
  EXPECT_EQ(schedule.positive_words, (std::vector<std::string>{"yeah", "yes", "final answer"}));
  EXPECT_EQ(schedule.verify_words, std::vector<std::string>{"check"});
  EXPECT_EQ(schedule.negative_words, default_settings().schedule.negative_words);  // left out: the default
  EXPECT_TRUE(schedule.not_reasoning);
  EXPECT_FALSE(schedule.choose_large);
  EXPECT_TRUE(schedule.begin);
  EXPECT_EQ(schedule.recap_after_negative_num, 3);
  EXPECT_EQ(schedule.add_each_recap, 0);
  EXPECT_EQ(parse_file("mode: hf\n").settings.schedule.mode, Mode::hf);
  EXPECT_EQ(parse_file("max_target_tokens: 0x20\n").settings.schedule.max_target_tokens, 32) << "YAML's spellings";
  EXPECT_EQ(parse_file("max_tokens: 1_000\n").settings.max_tokens, 1000);
  EXPECT_EQ(parse_file("# empty\n").settings, default_settings());
}

TEST(resolution, unknown_keys_name_line_and_nearest) {
  EXPECT_EQ(file_error("seed: 1\nmax_traget_tokens: 20\n"),
            "x.yml:2: unknown key \"max_traget_tokens\" (did you mean 'max_target_tokens'?); 'specthink config' lists "
            "the keys");
  expect_contains(file_error("trigger_tokens: []\n"), "(did you mean 'TRIGGER_TOKENS'?)");
  expect_contains(file_error("top-k: 3\n"), "(did you mean 'top_k'?)");
  expect_contains(file_error("target: x\n"), "(did you mean 'target_model_name'?)");
  expect_contains(file_error("draft: x\n"), "(did you mean 'speculative_model_name'?)");
  expect_contains(file_error("xyzzyplugh: 3\n"), "x.yml:1: unknown key \"xyzzyplugh\";");
  expect_contains(file_error("config: y.yml\n"), "x.yml:1: unknown key \"config\"");
  expect_contains(file_error("TARGET_VALIDATION_KEYWORDS:\n  verify: [a]\n  positve: [b]\n"),
                  "x.yml:3: TARGET_VALIDATION_KEYWORDS: unknown key \"positve\"");
}

TEST(resolution, duplicates_name_both_lines) {
  expect_contains(file_error("seed: 1\nbegin: true\nseed: 1\n"),
                  "x.yml:3: key \"seed\" is given twice, first in line 1");
  expect_contains(file_error("TARGET_VALIDATION_KEYWORDS:\n  verify: [a]\n  verify: [b]\n"),
                  "x.yml:3: key \"verify\" is given twice, first in line 2");
}

struct BadFile {
  const char* yaml;
  const char* message;
};
class bad_files : public testing::TestWithParam<BadFile> {};

TEST_P(bad_files, name_line_key_expected_and_found) {
  const std::string error = file_error(std::string("# line 1\n") + GetParam().yaml);
  EXPECT_EQ(error.substr(0, std::string_view(GetParam().message).size()), GetParam().message);
}

constexpr BadFile kBadFiles[] = {
    {"max_target_tokens: twenty",
     "x.yml:2: max_target_tokens: expected an integer (1 to 1000000000), found \"twenty\""},
    {"max_target_tokens: \"20\"",
     "x.yml:2: max_target_tokens: expected an integer (1 to 1000000000), found the text \"20\""},
    {"max_target_tokens: 20.0", "x.yml:2: max_target_tokens: expected an integer"},
    {"max_target_tokens: 0", "x.yml:2: max_target_tokens: expected an integer"},
    {"max_target_tokens: [20]", "x.yml:2: max_target_tokens: expected an integer (1 to 1000000000), found a list"},
    {"max_target_tokens:", "x.yml:2: max_target_tokens: expected an integer (1 to 1000000000), found null"},
    {"max_target_tokens: true", "x.yml:2: max_target_tokens: expected an integer"},
    {"max_target_tokens: 99999999999", "x.yml:2: max_target_tokens: expected an integer"},
    {"begin: 1", "x.yml:2: begin: expected true or false, found \"1\""},
    {"begin: \"true\"", "x.yml:2: begin: expected true or false, found the text \"true\"; remove the quotes"},
    {"begin: ~", "x.yml:2: begin: expected true or false, found null"},
    {"begin: tRUE", "x.yml:2: begin: expected true or false"},
    {"\n\nmode: vlm", "x.yml:4: mode: expected one of vllm, vllm_p, hf, found \"vlm\""},
    {"mode: null", "x.yml:2: mode: expected one of"},
    {"temperature: .nan", "x.yml:2: temperature: expected a finite number (at least 0), found \".nan\""},
    {"temperature: .inf", "x.yml:2: temperature: expected a finite number"},
    {"temperature: nan", "x.yml:2: temperature: expected a finite number"},
    {"temperature: hot", "x.yml:2: temperature: expected a finite number"},
    {"time_out: soon", "x.yml:2: time_out: expected a finite number, found \"soon\""},
    {"time_out: '5'", "x.yml:2: time_out: expected a finite number, found the text \"5\""},
    {"target_model_name: 12",
     "x.yml:2: target_model_name: expected a folder or hub name, found \"12\"; put it in quotes"},
    {"target_model_name: [a]", "x.yml:2: target_model_name: expected a folder or hub name, found a list"},
    {"target_model_name: ''", "x.yml:2: target_model_name: expected a folder or hub name, found the text \"\""},
    {"target_model_name: \"a\\0b\"", "x.yml:2: target_model_name: expected a folder or hub name without a NUL"},
    {"help_recap_words: ~", "x.yml:2: help_recap_words: expected text, found null"},
    {"help_recap_words: true", "x.yml:2: help_recap_words: expected text, found \"true\"; put it in quotes"},
    {"help_think_word: 5", "x.yml:2: help_think_word: expected text, found \"5\"; put it in quotes"},
    {"help_think_word: {a: b}", "x.yml:2: help_think_word: expected text, found a map"},
    {"output_dir: ~", "x.yml:2: output_dir: expected a path, found null"},
    {"TRIGGER_TOKENS: \"\\n\\n\"",
     "x.yml:2: TRIGGER_TOKENS: expected a list of texts such as [\"\\n\\n\", \"wait\"], found the text"},
    {"TRIGGER_TOKENS: []", "x.yml:2: TRIGGER_TOKENS: expected at least one text, found an empty list"},
    {"TRIGGER_TOKENS:", "x.yml:2: TRIGGER_TOKENS: expected a list"},
    {"TRIGGER_TOKENS:\n  - \"a\"\n  - \"\"", "x.yml:4: TRIGGER_TOKENS: expected text as item 2, found the text \"\""},
    {"TRIGGER_TOKENS:\n  - 5", "x.yml:3: TRIGGER_TOKENS: expected text as item 1, found \"5\"; put it in quotes"},
    {"TRIGGER_TOKENS:\n  a: b", "x.yml:2: TRIGGER_TOKENS: expected a list"},
    {"TARGET_VALIDATION_KEYWORDS: [a]", "x.yml:2: TARGET_VALIDATION_KEYWORDS: expected a map"},
    {"TARGET_VALIDATION_KEYWORDS:\n  verify: check",
     "x.yml:2: TARGET_VALIDATION_KEYWORDS: expected verify: a list of texts"},
    {"TARGET_VALIDATION_KEYWORDS:\n  verify:\n    - ''",
     "x.yml:4: TARGET_VALIDATION_KEYWORDS: expected verify: text as item 1"},
    {"TARGET_VALIDATION_KEYWORDS:\n  verify:\n    - true",
     "x.yml:4: TARGET_VALIDATION_KEYWORDS: expected verify: text as item 1"},
    {"gpu_memory_utilization: 0.9", "x.yml:2: gpu_memory_utilization: expected two numbers T,D"},
    {"gpu_memory_utilization: [0.6, 0.6]", "x.yml:2: gpu_memory_utilization: expected two numbers T,D"},
    {"gpu_memory_utilization: ['0.4', 0.4]", "x.yml:2: gpu_memory_utilization: expected two numbers T,D"},
    {"seed: -1", "x.yml:2: seed: expected an integer (0 to 2^64-1), found \"-1\""},
    {"prompt_ids: [1, x]", "x.yml:2: prompt_ids: expected token ids such as 5,17,3, found \"x\" as item 2"},
    {"prompt_ids: [1, '2']", "x.yml:2: prompt_ids: expected token ids such as 5,17,3, found the text \"2\" as item 2"},
    {"- seed", "x.yml:2: expected settings (key: value), found a list"},
    {"seed", "x.yml:2: expected settings (key: value), found \"seed\""},
    {"seed: [1", "x.yml:"},
    {"seed: 1\n---\nseed: 2", "x.yml:4: a second YAML document begins"},
};
INSTANTIATE_TEST_SUITE_P(resolution, bad_files, testing::ValuesIn(kBadFiles));

TEST(resolution, yaml_forms_of_lists) {
  EXPECT_EQ(parse_file("gpu_memory_utilization: 0.5,0.25").settings.models.gpu_memory_utilization,
            (std::array{0.5, 0.25}));
  EXPECT_EQ(parse_file("gpu_memory_utilization: [0.5, 0.25]").settings.models.gpu_memory_utilization,
            (std::array{0.5, 0.25}));
  EXPECT_EQ(parse_file("gpu_memory_utilization: auto").settings.models.gpu_memory_utilization, std::nullopt);
  EXPECT_EQ(parse_file("weights: fp8").settings.models.weights,
            (std::array{WeightPrecision::float8, WeightPrecision::float8}));
  EXPECT_EQ(parse_file("weights: [fp8, bf16]").settings.models.weights,
            (std::array{WeightPrecision::float8, WeightPrecision::compute}));
  EXPECT_EQ(parse_file("weights: auto,fp8").settings.models.weights,
            (std::array{WeightPrecision::automatic, WeightPrecision::float8}));
  EXPECT_EQ(parse_file("prompt_ids: [5, 17]").settings.generate.prompt_ids, (TokenIds{5, 17}));
  EXPECT_EQ(parse_file("prompt_ids: 5,17").settings.generate.prompt_ids, (TokenIds{5, 17}));
  EXPECT_EQ(parse_file("prompt_ids: 5").settings.generate.prompt_ids, TokenIds{5});
}

TEST(resolution, missing_files) {
  const TemporaryFolder folder;
  expect_contains(flag_error({"bench", "--config", (folder.path() / "no.yml").string()}), "no.yml");
  expect_contains(flag_error({"bench", "--config", folder.path().string()}), folder.path().string());
}

TEST(resolution, paths_of_a_file_are_relative_to_its_folder) {
  const TemporaryFolder folder;
  fs::create_directories(folder.path() / "models" / "large");
  const std::string path = folder.write("sub/x.yml",
                                        "task: tasks/t.yml\noutput_dir: ../out\ndata_dir: /data\ntrace: t.jsonl\n"
                                        "target_model_name: ../models/large\nspeculative_model_name: ./missing\n"
                                        "model: org/name\nmessages: '@m.json'\n");
  const Settings settings = parse({"bench", "--config", path}).settings;
  EXPECT_EQ(settings.bench.task, folder.path() / "sub/tasks/t.yml");
  EXPECT_EQ(settings.bench.output_dir, folder.path() / "out");
  EXPECT_EQ(settings.data_dir, "/data");
  EXPECT_EQ(settings.generate.trace, folder.path() / "sub/t.jsonl");
  EXPECT_EQ(settings.models.target, folder.path() / "models/large");
  EXPECT_EQ(settings.models.draft, folder.path() / "sub/missing");
  EXPECT_EQ(settings.tokenize.model, "org/name");
  EXPECT_EQ(settings.generate.messages, "@" + (folder.path() / "sub/m.json").string());

  const std::string beside =
      folder.write("y.yml", "target_model_name: models/large\nspeculative_model_name: models/small\n");
  EXPECT_EQ(parse({"bench", "--config", beside}).settings.models.target, folder.path() / "models/large");
  EXPECT_EQ(parse({"bench", "--config", beside}).settings.models.draft, "models/small");  // no such folder: a hub name
}

TEST(resolution, relative_config_paths) {
  const TemporaryFolder folder;
  folder.write("sub/x.yml", "task: t.yml\ntarget_model_name: ./m\n");
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  const Invocation in_folder = parse({"bench", "--config", "sub/x.yml"});
  fs::current_path(folder.path() / "sub");
  const Invocation beside = parse({"bench", "--config", "x.yml"});
  const std::string here = fs::current_path().string();
  fs::current_path(before);
  EXPECT_EQ(in_folder.settings.bench.task, "sub/t.yml");
  EXPECT_EQ(in_folder.settings.models.target, "./sub/m");  // cannot be taken for a hub name
  EXPECT_EQ(option_of(in_folder, "task").source, "sub/x.yml:1");
  EXPECT_EQ(beside.settings.bench.task, "t.yml");
  EXPECT_EQ(beside.settings.models.target, "./m");
  EXPECT_EQ(option_of(beside, "task").value, '"' + here + "/t.yml\"");  // means the same anywhere
  EXPECT_EQ(option_of(in_folder, "task").value, option_of(beside, "task").value);
}

TEST(resolution, flags_and_variables_are_relative_to_the_working_directory) {
  const Settings settings = parse({"bench", "--task", "t.yml"}, {{"SPECTHINK_DATA", "d"}}).settings;
  EXPECT_EQ(settings.bench.task, "t.yml");
  EXPECT_EQ(settings.data_dir, "d");
}

}  // namespace
}  // namespace specthink
