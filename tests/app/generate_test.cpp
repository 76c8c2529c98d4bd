// specthink generate and score, as a user runs them.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "app/program.h"
#include "specthink/base/json.h"

namespace specthink {
namespace {

using testing_support::count_lines;
using testing_support::count_messages;
using testing_support::fresh_folder;
using testing_support::ProgramResult;
using testing_support::random_pair;
using testing_support::run_program;

const std::string kSchedule =
    " --trigger-tokens '[\"\\n\",\".\",\",\",\"a\",\"e\"]' --begin --begin-token-num 9 --not-reasoning "
    "--max-target-tokens 7"
    " --recap-after-negative-num 1 --original-recap-token-num 11"
    " --target-validation-keywords '{\"verify\": [\"k\"], \"negative\": [\"a\", \"e\", \"o\", \"W\", \"q\"], "
    "\"positive\": [\"yes\"]}'";

std::string target() { return " --target " + (random_pair() / "target").string(); }
std::string pair() { return target() + " --draft " + (random_pair() / "draft").string(); }

Json generate(const std::string& arguments, int ranks = 0, const std::string& input = "") {
  const ProgramResult result = run_program("generate --format json" + arguments, ranks, input);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(count_lines(result.out), 1) << result.out;
  return parse_json(result.out.empty() ? "null" : result.out, "stdout");
}

TEST(generate, greedy_float32_is_the_same_on_every_number_of_ranks) {
  const std::string arguments =
      pair() + kSchedule + " --prompt-ids 5,17,3 --max-tokens 120 --temperature 0 --dtype float32";
  const Json alone = generate(arguments);
  EXPECT_EQ(alone.at("ids").size(), 120u);
  EXPECT_EQ(alone.at("finish_reason"), "length");
  // How many tokens are proposed depends on what steps cost on so many ranks.
  const Json plain = generate(arguments + " --token-speculation off");
  EXPECT_EQ(plain.at("ids"), alone.at("ids"));
  for (const int ranks : {1, 2, 3}) {
    const Json result = generate(arguments + " --token-speculation off", ranks);
    EXPECT_EQ(result.at("ids"), alone.at("ids")) << ranks;
    EXPECT_EQ(result.at("ledger"), plain.at("ledger")) << ranks;
  }
  EXPECT_EQ(generate(arguments, 2).at("ids"), alone.at("ids"));
}

TEST(generate, sampling_follows_the_seed) {
  const std::string arguments = pair() + kSchedule + " --prompt-ids 5,17,3 --max-tokens 60 --ignore-eos --seed ";
  const Json first = generate(arguments + "4");
  EXPECT_EQ(generate(arguments + "4"), first);
  EXPECT_NE(generate(arguments + "5").at("ids"), first.at("ids"));
}

TEST(generate, the_ledger_accounts_for_every_token) {
  const Json result = generate(pair() + kSchedule + " --max-tokens 150 --ignore-eos 'What is 2+2?'", 2);
  const Json& ledger = result.at("ledger");
  const auto count = [&](const char* key) { return ledger.at(key).get<std::int64_t>(); };
  EXPECT_EQ(count("draft") + count("target") + count("injected"), static_cast<std::int64_t>(result.at("ids").size()));
  EXPECT_GT(count("draft"), 0);
  EXPECT_GT(count("target"), 0);
  EXPECT_GT(count("draft_wasted"), 0);
  EXPECT_GT(count("draft_prefilled"), 0);
  EXPECT_GT(count("target_prefilled"), 0);
  EXPECT_NEAR(ledger.at("target_share").get<double>(),
              static_cast<double>(count("target")) / static_cast<double>(result.at("ids").size()), 1e-9);
}

TEST(generate, streamed_text_is_the_text_of_the_result) {
  const std::string arguments = pair() + kSchedule + " --max-tokens 80 --prompt-ids 9,8,7 --seed 3";
  const Json result = generate(arguments, 2);
  const ProgramResult streamed = run_program("generate" + arguments, 2);
  EXPECT_EQ(streamed.out, result.at("text").get<std::string>() + "\n");
}

TEST(generate, colours_name_the_origin) {
  const ProgramResult result =
      run_program("generate --color always" + pair() + kSchedule + " --max-tokens 200 --ignore-eos --prompt-ids 9,8,7");
  EXPECT_NE(result.out.find("\033[32m"), std::string::npos);
  EXPECT_NE(result.out.find("\033[33m"), std::string::npos) << "the recap words are injected";
}

TEST(generate, prompts_from_everywhere_agree) {
  const std::string rest = target() + " --max-tokens 20 --temperature 0 --dtype float32";
  const Json argument = generate(rest + " 'What is 2+2?'");
  EXPECT_EQ(generate(rest, 0, "What is 2+2?"), argument);
  EXPECT_EQ(generate(rest, 2, "What is 2+2?"), argument);
  EXPECT_EQ(generate(rest + " --messages '[{\"role\":\"user\",\"content\":\"What is 2+2?\"}]'"), argument);
  const auto folder = fresh_folder("prompt");
  std::ofstream(folder / "prompt.txt") << "What is 2+2?";
  EXPECT_EQ(generate(rest + " --prompt-file " + (folder / "prompt.txt").string()), argument);
  EXPECT_NE(generate(rest + " --no-thinking 'What is 2+2?'").at("ids"), argument.at("ids"));
}

TEST(generate, a_proposer_that_cannot_be_had_is_one_message) {
  const std::string target = (random_pair() / "target").string();
  const std::string draft = (random_pair() / "draft").string();
  for (const std::string& models :
       {" --target " + target, " --target " + target + " --draft " + draft + " --mode hf"}) {
    const ProgramResult result = run_program("generate --token-speculation draft" + models + " hello");
    EXPECT_EQ(result.exit_code, 2) << models;
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(testing_support::count_messages(result.err), 1) << result.err;
    EXPECT_NE(result.err.find("--token-speculation draft"), std::string::npos) << result.err;
  }
}

TEST(generate, needs_no_tokenizer_for_ids) {
  const auto folder = fresh_folder("no_tokenizer");
  for (const char* file : {"config.json", "generation_config.json", "model.safetensors"}) {
    std::filesystem::copy(random_pair() / "target" / file, folder / file);
  }
  const Json result = generate(" --target " + folder.string() + " --prompt-ids 5,17,3 --max-tokens 10");
  EXPECT_TRUE(result.at("text").is_null());
  EXPECT_EQ(run_program("score --target " + folder.string() + " --prompt-ids 5,17,3").exit_code, 0);
  const ProgramResult text = run_program("generate --target " + folder.string() + " hello");
  EXPECT_EQ(text.exit_code, 2);
  EXPECT_NE(text.err.find("tokenizer.json"), std::string::npos) << text.err;
}

TEST(score, agrees_between_ranks_and_sums_to_probabilities) {
  const std::string arguments = "score" + target() + " --prompt-ids 5,17,3,200,44,10 --dtype float32";
  const Json alone = parse_json(run_program(arguments).out, "stdout");
  EXPECT_EQ(alone.at("ids"), Json({5, 17, 3, 200, 44, 10}));
  ASSERT_EQ(alone.at("logprobs").size(), 5u);
  const Json sharded = parse_json(run_program(arguments, 3).out, "stdout");
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(alone.at("logprobs")[i].get<double>(), sharded.at("logprobs")[i].get<double>(), 1e-5);
    EXPECT_LT(alone.at("logprobs")[i].get<double>(), 0);
  }
}

TEST(score, takes_text) {
  const Json result = parse_json(run_program("score" + target() + " 'wait, check'").out, "stdout");
  EXPECT_EQ(result.at("logprobs").size() + 1, result.at("ids").size());
}

struct BadInput {
  std::string arguments;
  std::string named;  // what the message must mention
  int ranks = 0;      // 2 where each rank finds the mistake by itself
};

TEST(bad_input, one_line_an_exit_code_and_nothing_on_stdout) {
  const std::string folder = fresh_folder("bad").string();
  const BadInput cases[] = {
      {"generate --prompt-ids 1", "--target", 2},
      {"generate --target " + folder + " --prompt-ids 1", "config.json", 2},
      {"generate --target no/such-model --prompt-ids 1", "hf download no/such-model"},
      {"generate" + target() + " --prompt-ids 1,,2", "prompt-ids"},
      {"generate" + target() + " --prompt-ids 5,100000", "100000", 2},
      {"generate" + target() + " --temperature nan --prompt-ids 1", "temperature"},
      {"generate" + target() + " --max-tokens 0 --prompt-ids 1", "max-tokens"},
      {"generate" + target() + " --max-model-len 8 --prompt-ids 1,2,3,4,5,6,7,8", "--max-model-len", 2},
      {"generate" + pair() + " --gpu-memory-utilization 0.7,0.4 hello", "gpu"},
      {"generate" + target() + " --messages '{}'", "--messages"},
      {"bench" + target() + " --test-mode both", "draft"},
      {"bench --config " + folder + "/none.yml", "none.yml"},
  };
  for (const BadInput& bad : cases) {
    const ProgramResult result = run_program(bad.arguments, bad.ranks);
    EXPECT_EQ(result.exit_code, 2) << bad.arguments << "\n" << result.err;
    EXPECT_EQ(result.out, "") << bad.arguments;
    EXPECT_EQ(count_messages(result.err), 1) << bad.arguments << "\n" << result.err;
    EXPECT_NE(result.err.find(bad.named), std::string::npos) << bad.arguments << "\n" << result.err;
  }
}

TEST(bad_input, heads_that_the_ranks_do_not_divide) {
  const ProgramResult result = run_program("generate" + target() + " --prompt-ids 1", 5);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(count_messages(result.err), 1) << result.err;
  EXPECT_NE(result.err.find("12"), std::string::npos) << result.err;
}

// A truncated file is found while loading, on all ranks.
TEST(bad_input, truncated_weights) {
  const auto folder = fresh_folder("truncated");
  std::filesystem::copy(random_pair() / "target", folder, std::filesystem::copy_options::recursive);
  std::filesystem::resize_file(folder / "model.safetensors", 500000);
  const ProgramResult result = run_program("generate --target " + folder.string() + " --prompt-ids 1", 2);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(count_messages(result.err), 1) << result.err;
  EXPECT_NE(result.err.find("model.safetensors"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace specthink
