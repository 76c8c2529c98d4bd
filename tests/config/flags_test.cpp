// Flags: how they are written, and what wrong ones get.
#include <gtest/gtest.h>

#include "config/invocation_helpers.h"
#include "config/option_table.h"

namespace specthink {
namespace {

using namespace config;

TEST(flags, both_ways_to_give_a_value) {
  EXPECT_EQ(parse({"generate", "--seed", "7"}).settings.sampling.seed, 7u);
  EXPECT_EQ(parse({"generate", "--seed=7"}).settings.sampling.seed, 7u);
  EXPECT_EQ(parse({"generate", "--seed=6", "--seed", "7"}).settings.sampling.seed, 7u);
}

TEST(flags, version_and_its_format) {
  const auto as_json = [](const std::vector<std::string>& arguments) {
    return std::get<VersionRequest>(parse_result(arguments)).as_json;
  };
  EXPECT_FALSE(as_json({"--version"}));
  EXPECT_FALSE(as_json({"--version", "--format", "text"}));
  EXPECT_TRUE(as_json({"--version", "--format", "json"}));
  EXPECT_TRUE(as_json({"--version", "--format=json"}));
  EXPECT_TRUE(as_json({"bench", "--format", "json", "--max-tokens", "none", "--version"}));
  expect_contains(flag_error({"--version", "--format"}), "--version takes --format text or json, found \"--format\"");
  expect_contains(flag_error({"--version", "--seed", "7"}), "--version takes --format text or json");
  expect_contains(flag_error({"--version", "--format", "yaml"}), "flag --format: expected");
  expect_contains(flag_error({"--version", "--format", "markdown"}), "expected text or json for --version");
}

TEST(flags, negative_values) {
  EXPECT_EQ(parse({"bench", "--top-k", "-1"}).settings.sampling.top_k, 0);
  EXPECT_EQ(parse({"bench", "--top-k=-1"}).settings.sampling.top_k, 0);
  EXPECT_EQ(parse({"bench", "--top-k", "0"}).settings.sampling.top_k, 0);
  EXPECT_DOUBLE_EQ(parse({"bench", "--time-out", "-2.5"}).settings.schedule.time_out, -2.5);
}

TEST(flags, booleans_take_nothing_from_what_follows) {
  const Invocation on = parse({"generate", "--ignore-eos", "a prompt"});
  EXPECT_TRUE(on.settings.sampling.ignore_eos);
  EXPECT_EQ(on.settings.generate.prompt, "a prompt");
  const Invocation off = parse({"generate", "--no-thinking", "a prompt"});
  EXPECT_FALSE(off.settings.generate.thinking);
  EXPECT_EQ(off.settings.generate.prompt, "a prompt");
  EXPECT_EQ(option_of(off, "thinking").source, "flag --no-thinking");
  EXPECT_FALSE(parse({"bench", "--choose-large=false"}).settings.schedule.choose_large);
  EXPECT_TRUE(parse({"bench", "--no-begin", "--begin"}).settings.schedule.begin);
  EXPECT_TRUE(parse({"bench", "--use-2gpu"}).settings.bench.use_2gpu);
  expect_contains(flag_error({"bench", "--begin", "false"}), "unexpected argument \"false\"");
  expect_contains(flag_error({"bench", "--begin=maybe"}), "flag --begin: expected true or false, found \"maybe\"");
  expect_contains(flag_error({"bench", "--no-begin=1"}), "--no-begin");
}

TEST(flags, every_boolean_has_three_forms) {
  int checked = 0;
  for (const Option& option : option_table()) {
    if (!option.is_boolean()) continue;
    for (const CommandInfo& command : command_table()) {
      if (!option.belongs_to(command.bit)) continue;
      const auto value = [&](const std::string& flag) {
        return option_of(parse({command.name, flag}), option.key).value;
      };
      EXPECT_EQ(value("--" + option.flag), "true");
      EXPECT_EQ(value("--no-" + option.flag), "false");
      EXPECT_EQ(value("--" + option.flag + "=false"), "false");
      ++checked;
    }
  }
  EXPECT_GE(checked, 20);
}

TEST(flags, old_and_long_spellings) {
  EXPECT_EQ(parse({"bench", "--aime-config", "t.yml"}).settings.bench.task, "t.yml");
  EXPECT_EQ(parse({"bench", "--task", "t.yml"}).settings.bench.task, "t.yml");
  EXPECT_EQ(parse({"bench", "--target-model-name", "T"}).settings.models.target, "T");
  EXPECT_EQ(parse({"bench", "--target", "T", "--draft", "D"}).settings.models.draft, "D");
  EXPECT_EQ(parse({"bench", "--draft", "none"}).settings.models.draft, std::nullopt);
}

TEST(flags, structured_values) {
  const Invocation given =
      parse({"generate", "--trigger-tokens", R"(["\n", ". "])", "--target-validation-keywords",
             "{verify: [yes], positive: []}", "--prompt-ids", "5, 17,3", "--gpu-memory-utilization", "0.7,0.3"});
  EXPECT_EQ(given.settings.schedule.trigger_tokens, (std::vector<std::string>{"\n", ". "}));
  EXPECT_EQ(given.settings.schedule.verify_words, std::vector<std::string>{"yes"});
  EXPECT_EQ(given.settings.schedule.negative_words, default_settings().schedule.negative_words);
  EXPECT_TRUE(given.settings.schedule.positive_words.empty());
  EXPECT_EQ(given.settings.generate.prompt_ids, (TokenIds{5, 17, 3}));
  EXPECT_EQ(given.settings.models.gpu_memory_utilization, (std::array{0.7, 0.3}));
  EXPECT_EQ(parse({"score", "--prompt-ids", "[2147483647,0]"}).settings.generate.prompt_ids, (TokenIds{2147483647, 0}));
}

TEST(flags, import_takes_a_file_and_a_folder) {
  const Settings settings = parse({"import", "x.gguf", "out", "--dtype", "float32"}).settings;
  EXPECT_EQ(std::filesystem::path(settings.import.gguf_file).filename(), "x.gguf");
  EXPECT_EQ(std::filesystem::path(settings.import.folder).filename(), "out");
  EXPECT_EQ(settings.models.dtype, DType::float32);
  EXPECT_THROW(parse({"import", "x.gguf", "out", "more"}), UserError);
}

TEST(flags, memory_by_need_is_none) {
  EXPECT_EQ(parse({"plan", "--gpu-memory-utilization", "auto"}).settings.models.gpu_memory_utilization, std::nullopt);
  EXPECT_THROW(parse({"plan", "--gpu-memory-utilization", "most"}), UserError);
}

TEST(flags, index_lists) {
  using Ranges = std::vector<IndexRange>;
  EXPECT_EQ(parse({"replay"}).settings.replay.workloads, std::nullopt);
  const Invocation given = parse({"replay", "--workloads", "0, 3,5-9", "--loop", "all"});
  EXPECT_EQ(given.settings.replay.workloads, (Ranges{{0, 0}, {3, 3}, {5, 9}}));
  EXPECT_EQ(given.settings.replay.loops.size(), 3u);
  EXPECT_EQ(option_of(given, "workloads").value, "[0, 3, \"5-9\"]");
  EXPECT_EQ(parse({"replay", "--workloads", option_of(given, "workloads").value}).settings.replay.workloads,
            given.settings.replay.workloads);
  for (const char* list : {"", "x", "1,,2", "-1", "3-1", "1-", "1-2-3", "1.5", "0x1", "{}", "[]", "99999999999"}) {
    expect_contains(flag_error({"replay", "--workloads", list}), "flag --workloads: expected indices and ranges");
  }
}

TEST(flags, old_words_for_the_original_loop_are_taken) {
  const TemporaryFolder folder;
  const std::string path = folder.write("in.yml", "compat: seed\n");
  for (const Invocation& given :
       {parse({"bench", "--compat", "seed"}), parse({"bench", "--compat=original"}),
        parse({"bench"}, {{"SPECTHINK_COMPAT", "seed"}}), parse({"bench", "--config", path})}) {
    EXPECT_EQ(given.settings.schedule.compat, Compat::original);
    EXPECT_EQ(option_of(given, "compat").value, "\"original\"");
  }
  for (const Invocation& given :
       {parse({"replay"}), parse({"replay", "--policy", "seed"}), parse({"replay", "--loop", "seed"}),
        parse({"replay", "--policy", "original"}), parse({"replay"}, {{"SPECTHINK_REPLAY_LOOP", "seed"}})}) {
    EXPECT_EQ(given.settings.replay.loops, std::vector{ReplayLoop::original});
    EXPECT_EQ(option_of(given, "replay_loop").value, "\"original\"");
  }
  EXPECT_EQ(parse({"replay", "--policy", "all"}).settings.replay.loops.size(), 3u);
  expect_contains(flag_error({"replay", "--loop", "old"}), "expected one of original, fixed, target, all");
}

TEST(flags, text_is_taken_as_it_is) {
  for (const char* text : {"", "a: b", "# no comment", "12", "true", "null", "[1", "\xc3\xa9\n", "\xff", "-"}) {
    EXPECT_EQ(parse({"generate", "--prompt", text}).settings.generate.prompt, text);
    EXPECT_EQ(parse({"generate", "--", text}).settings.generate.prompt, text);
  }
  EXPECT_EQ(parse({"generate", "--", "--seed"}).settings.generate.prompt, "--seed");
  EXPECT_EQ(parse({"generate", "--prompt=--seed"}).settings.generate.prompt, "--seed");
  EXPECT_EQ(option_of(parse({"score", "x"}), "prompt").source, "argument");
  EXPECT_EQ(parse({"generate", "--help-think-word", "none"}).settings.schedule.help_think_word, std::nullopt);
  EXPECT_EQ(parse({"generate", "--help-think-word", ""}).settings.schedule.help_think_word, std::nullopt);
  EXPECT_EQ(parse({"generate", "--help-recap-words", ""}).settings.schedule.help_recap_words, "");
}

TEST(flags, whole_range_of_integers) {
  EXPECT_EQ(parse({"bench", "--seed", "18446744073709551615"}).settings.sampling.seed, UINT64_MAX);
  EXPECT_EQ(parse({"bench", "--max-tokens", "1000000000"}).settings.max_tokens, 1'000'000'000);
  EXPECT_EQ(parse({"bench", "--max-tokens", "+5"}).settings.max_tokens, 5);
}

TEST(flags, parts) {
  EXPECT_TRUE(parse({"bench"}).settings.bench.part.is_whole());
  EXPECT_EQ(parse({"bench", "--part", "2/4"}).settings.bench.part, (Part{2, 4}));
  EXPECT_EQ(parse({"bench", "--part=1/1"}).settings.bench.part, (Part{1, 1}));
}

struct BadValue {
  const char* command;
  const char* flag;
  const char* value;
};

class bad_values : public testing::TestWithParam<BadValue> {};

TEST_P(bad_values, name_the_flag_and_what_was_found) {
  const auto& [command, flag, value] = GetParam();
  const std::string error = flag_error({command, flag, value});
  expect_contains(error, std::string("flag ") + flag + ": expected ");
  expect_contains(error, ", found ");
  flag_error({command, std::string(flag) + "=" + value});
}

constexpr BadValue kBadValues[] = {
    {"bench", "--max-tokens", "12x"},
    {"bench", "--max-tokens", "x"},
    {"bench", "--max-tokens", "0"},
    {"bench", "--max-tokens", "-1"},
    {"bench", "--max-tokens", "1.0"},
    {"bench", "--max-tokens", "1e3"},
    {"bench", "--max-tokens", " 1"},
    {"bench", "--max-tokens", "0x10"},
    {"bench", "--max-tokens", "1000000001"},
    {"bench", "--max-tokens", "4294967297"},
    {"bench", "--max-tokens", "99999999999999999999"},
    {"bench", "--max-tokens", "+-5"},
    {"bench", "--max-model-len", "0"},
    {"bench", "--max-target-tokens", "0"},
    {"bench", "--begin-token-num", "0"},
    {"bench", "--original-recap-token-num", "0"},
    {"bench", "--max-recap-token-num", "-3"},
    {"bench", "--recap-after-negative-num", "-1"},
    {"bench", "--add-each-recap", "-1"},
    {"bench", "--add-each-neg", "-1"},
    {"bench", "--max-negative-num", "-1"},
    {"bench", "--num-problems", "0"},
    {"bench", "--num-runs", "0"},
    {"bench", "--part", "2"},
    {"bench", "--part", "0/2"},
    {"bench", "--part", "3/2"},
    {"bench", "--part", "1/2/3"},
    {"bench", "--part", "-1/2"},
    {"bench", "--part", "1/99999999999"},
    {"bench", "--part", "/"},
    {"bench", "--top-k", "-2"},
    {"bench", "--top-k", "1.5"},
    {"bench", "--seed", "-1"},
    {"bench", "--seed", "18446744073709551616"},
    {"bench", "--seed", "1x"},
    {"bench", "--temperature", "nan"},
    {"bench", "--temperature", "-nan"},
    {"bench", "--temperature", "inf"},
    {"bench", "--temperature", "-0.1"},
    {"bench", "--temperature", "1e999"},
    {"bench", "--temperature", "0.6x"},
    {"bench", "--top-p", "0"},
    {"bench", "--top-p", "1.01"},
    {"bench", "--top-p", "nan"},
    {"bench", "--time-out", "inf"},
    {"bench", "--gpu-memory-utilization", "0.9"},
    {"bench", "--gpu-memory-utilization", "0.5,0.6"},
    {"bench", "--gpu-memory-utilization", "0.5,0"},
    {"bench", "--gpu-memory-utilization", "-0.5,0.5"},
    {"bench", "--gpu-memory-utilization", "nan,0.5"},
    {"bench", "--gpu-memory-utilization", "0.1,0.2,0.3"},
    {"bench", "--gpu-memory-utilization", "0.1,"},
    {"bench", "--dtype", "fp8"},
    {"bench", "--weights", "fp16"},
    {"bench", "--weights", "fp8,bf16,auto"},
    {"bench", "--weights", "fp8,"},
    {"bench", "--device", "GPU"},
    {"bench", "--mode", "vllm-p"},
    {"bench", "--compat", "old"},
    {"bench", "--test-mode", "everything"},
    {"bench", "--format", "yaml"},
    {"generate", "--color", "true"},
    {"bench", "--trigger-tokens", "Wait"},
    {"bench", "--trigger-tokens", "[]"},
    {"bench", "--trigger-tokens", "[\"\"]"},
    {"bench", "--trigger-tokens", "[a, 5]"},
    {"bench", "--trigger-tokens", "[a, ~]"},
    {"bench", "--trigger-tokens", "[a, [b]]"},
    {"bench", "--trigger-tokens", "{a: b}"},
    {"bench", "--target-validation-keywords", "[verify]"},
    {"bench", "--target-validation-keywords", "{verify: check}"},
    {"bench", "--target-validation-keywords", "{verify: [\"\"]}"},
    {"bench", "--target-validation-keywords", "{verify: ~}"},
    {"generate", "--prompt-ids", ","},
    {"generate", "--prompt-ids", "5,,3"},
    {"generate", "--prompt-ids", "5,"},
    {"generate", "--prompt-ids", ",5"},
    {"generate", "--prompt-ids", "-5"},
    {"generate", "--prompt-ids", "2147483648"},
    {"generate", "--prompt-ids", "1.5"},
    {"generate", "--prompt-ids", "five"},
    {"generate", "--prompt-ids", "[]"},
    {"generate", "--prompt-ids", "[5,,3]"},
    {"plan", "--gpus", "0"},
    {"plan", "--gpu-memory", "0"},
    {"plan", "--gpu-memory", "-80"},
};
INSTANTIATE_TEST_SUITE_P(flags, bad_values, testing::ValuesIn(kBadValues));

TEST(flags, empty_names_are_errors) {
  for (const char* flag : {"--target", "--draft", "--task", "--output-dir", "--data-dir"}) {
    expect_contains(flag_error({"bench", flag, ""}), std::string("flag ") + flag);
  }
  expect_contains(flag_error({"generate", "--prompt-ids", ""}), "flag --prompt-ids");
}

TEST(flags, unknown_flags_name_the_nearest) {
  expect_contains(flag_error({"bench", "--num-problem", "3"}),
                  "unknown flag --num-problem of 'bench' (did you mean '--num-problems'?)");
  expect_contains(flag_error({"bench", "--top_k", "3"}), "(did you mean '--top-k'?)");
  expect_contains(flag_error({"bench", "--top_k=3"}), "(did you mean '--top-k'?)");
  expect_contains(flag_error({"bench", "--temp", "3"}), "(did you mean '--temperature'?)");  // never abbreviated
  expect_contains(flag_error({"bench", "-temperature", "3"}), "(did you mean '--temperature'?)");
  expect_contains(flag_error({"bench", "--no-beginn"}), "(did you mean '--no-begin'?)");
  expect_contains(flag_error({"bench", "--xyzzyplugh"}), "unknown flag --xyzzyplugh of 'bench';");
  expect_contains(flag_error({"generate", "-5"}), "put -- before a text that begins with a dash");
}

TEST(flags, of_other_commands_name_those) {
  expect_contains(flag_error({"generate", "--num-runs", "3"}),
                  "'generate' has no flag --num-runs, which belongs to bench, config");
  expect_contains(flag_error({"bench", "--decode"}), "belongs to tokenize");
}

TEST(flags, missing_values) {
  expect_contains(flag_error({"bench", "--seed"}), "--seed");
  expect_contains(flag_error({"bench", "--temperature="}), "--temperature");
  expect_contains(flag_error({"bench", "--temperature", "--seed", "3"}),
                  "flag --temperature: expected a value, found the flag --seed");
  expect_contains(flag_error({"generate", "--prompt", "--begin"}), "flag --prompt: expected a value");
}

TEST(flags, arguments) {
  expect_contains(flag_error({"generate", "two", "words"}), "unexpected argument \"words\"");
  expect_contains(flag_error({"bench", "word"}), "unexpected argument \"word\": 'bench' takes flags only");
  expect_contains(flag_error({"generate", "word", "--prompt", "other"}), "an argument and --prompt");
}

TEST(flags, inputs_exclude_each_other) {
  const std::string error = flag_error({"generate", "word", "--prompt-ids", "5"});
  expect_contains(error, "expected one input");
  expect_contains(error, "argument, flag --prompt-ids");
  expect_contains(flag_error({"generate", "--messages", "[]", "--prompt-file", "f"}),
                  "flag --prompt-file, flag --messages");
  expect_contains(flag_error({"generate", "word"}, {{"SPECTHINK_MESSAGES", "[]"}}), "environment SPECTHINK_MESSAGES");
  EXPECT_EQ(parse({"score", "word"}, {{"SPECTHINK_MESSAGES", "[]"}}).settings.generate.prompt, "word");
}

TEST(flags, jsonl_is_for_tokenize) {
  EXPECT_EQ(parse({"tokenize", "--format", "jsonl"}).settings.format, Format::jsonl);
  expect_contains(flag_error({"generate", "--format", "jsonl"}), "flag --format: jsonl");
}

TEST(flags, commands) {
  expect_contains(flag_error({}), "expected a command");
  expect_contains(flag_error({"gnerate"}), "unknown command \"gnerate\" (did you mean 'generate'?)");
  expect_contains(flag_error({"--seed", "3", "bench"}), "expected a command before --seed");
  expect_contains(flag_error({""}), "unknown command \"\"");
  for (const CommandInfo& command : command_table()) EXPECT_EQ(parse({command.name}).command, command.name);
}

// The command lines of the original's eval.py.
TEST(flags, of_eval) {
  const Invocation given =
      parse({"eval", "--evals", "math500,aime24", "--temperatures", "0.6", "1.0", "--n", "3", "--max_tokens", "100",
             "--top_p=0.9", "--filter-difficulty", "--math-difficulty-lower-bound", "2"});
  EXPECT_EQ(given.settings.eval.evals, (std::vector<std::string>{"math500", "aime24"}));
  EXPECT_EQ(given.settings.eval.temperatures, (std::vector<double>{0.6, 1.0}));
  EXPECT_EQ(given.settings.eval.n, 3);
  EXPECT_EQ(given.settings.max_tokens, 100);
  EXPECT_EQ(given.settings.sampling.top_p, 0.9);
  EXPECT_TRUE(given.settings.eval.filter_difficulty);
  EXPECT_EQ(given.settings.eval.math_difficulty_lower_bound, 2);
  EXPECT_EQ(given.settings.eval.math_difficulty_upper_bound, std::nullopt);
  EXPECT_EQ(given.settings.eval.end, -1);
  expect_contains(flag_error({"eval", "0.6"}), "unexpected argument \"0.6\"");
  expect_contains(flag_error({"eval", "--temperatures", "0.6,-1"}), "numbers from 0 on");
  expect_contains(flag_error({"eval", "--temperatures", "0.6", "0.6"}), "given twice");
  expect_contains(flag_error({"eval", "--evals", "a,,b"}), "names with commas between");
  expect_contains(flag_error({"eval", "--math-difficulty-upper-bound", "x"}), "found \"x\"");
  expect_contains(flag_error({"eval", "--n", "0"}), "--n");
}

TEST(flags, of_eval_model_is_the_target_alone) {
  const Invocation alone = parse({"eval", "--model", "M"});
  EXPECT_EQ(alone.settings.models.target, "M");
  EXPECT_EQ(alone.settings.models.draft, std::nullopt);
  EXPECT_EQ(parse({"eval", "--model", "M", "--draft", "D"}).settings.models.draft, "D");
  const TemporaryFolder folder;
  const std::string config = folder.write("pair.yml", "target_model_name: T\nspeculative_model_name: D\n");
  EXPECT_EQ(parse({"eval", "--config", config, "--model", "M"}).settings.models.draft, std::nullopt);
  const Invocation old = parse({"eval", "--model", "M", "--spe_config", config});
  EXPECT_EQ(old.settings.models.target, "T") << "as the original: the configuration names the models";
  EXPECT_EQ(old.settings.models.draft, "D");
  EXPECT_EQ(parse({"eval", "--model", "M", "--output_file", "old.json"}).settings.models.target, "M");
  expect_contains(flag_error({"bench", "--output-file", "x"}), "unknown flag --output-file");
  expect_contains(flag_error({"bench", "--spe-config", "x"}), "unknown flag --spe-config");
}

TEST(flags, of_report) {
  const Invocation given = parse({"report", "a.json", "-o", "page.html", "b,c.json", "--texts", "0,3/1"});
  EXPECT_EQ(given.settings.report.files, (std::vector<std::string>{"a.json", "b,c.json"}));
  EXPECT_EQ(given.settings.report.output, "page.html");
  EXPECT_EQ(given.settings.report.texts, "0,3/1");
  EXPECT_EQ(parse({"report", "--output=x.html"}).settings.report.output, "x.html");
  expect_contains(flag_error({"report", "a.json", "--report-files", "b.json"}), "leave out one of them");
  expect_contains(flag_error({"bench", "--format", "markdown"}), "flag --format: markdown");
}

}  // namespace
}  // namespace specthink
