// specthink bench, as a user runs it.
#include <gtest/gtest.h>

#include <fstream>

#include "app/small_bench.h"

namespace specthink {
namespace {

using testing_support::ProgramResult;
using testing_support::run_program;
using testing_support::without_times;
using Bench = testing_support::SmallBench;

TEST(bench, compares_all_modes_with_two_ranks) {
  const Bench bench("bench_all");
  const ProgramResult result = run_program(bench.arguments() + " --test-mode all --format json", 2);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json summary = parse_json(result.out.substr(0, result.out.find('\n')), "stdout");
  EXPECT_TRUE(summary.at("comparison").contains("speedup"));
  EXPECT_EQ(result.out.find('\n'), result.out.size() - 1) << "one line";

  const Json document = read_json(bench.only_file(".json"));
  const Json runs = without_times(document);
  EXPECT_EQ(runs.size(), 8u);
  for (const Json& run : runs) {
    EXPECT_EQ(run[3], 120);
    const Json& ledger = run[5];
    if (run[0] == "large_model") {
      EXPECT_EQ(ledger.at("target"), 120);
    } else {
      EXPECT_GT(ledger.at("target").get<int>(), 0);
      EXPECT_GT(ledger.at("draft").get<int>(), 0);
      EXPECT_GT(ledger.at("draft_prefilled").get<int>(), 0);
    }
  }
  EXPECT_EQ(document.at("draft_model").at("statistics").at("ledger").at("draft"), 4 * 120);
  EXPECT_EQ(document.at("draft_model").at("statistics").at("ledger").at("target"), 0);
  EXPECT_EQ(document.at("large_model").at("statistics").at("accuracy").at("n"), 4);
}

// The same texts with several tokens a step, and what the speed-up consists of.
TEST(bench, token_speculation_changes_no_text) {
  const std::string settings = " --dtype float32 --temperature 0";
  const Json plain = testing_support::uninterrupted_runs("bench_plain_steps", settings);
  const Bench bench("bench_token_speculation");
  const ProgramResult result = run_program(bench.arguments() + settings + " --token-speculation auto", 2);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("Of the speed-up"), std::string::npos) << result.out;
  const Json document = read_json(bench.only_file(".json"));
  EXPECT_TRUE(document.at("comparison").at("token_speculation").contains("target_alone_speedup"));
  EXPECT_TRUE(document.contains("large_model_token_speculation"));
  const Json runs = without_times(document);
  ASSERT_EQ(runs.size(), plain.size());
  for (std::size_t i = 0; i < runs.size(); ++i) EXPECT_EQ(runs[i][4], plain[i][4]) << runs[i][0];
  const Json& ledger = document.at("large_model_token_speculation").at("statistics").at("ledger");
  EXPECT_GT(ledger.at("proposed").at("ngram").size() + ledger.at("proposed").at("draft").size(), 0u);
}

// A job that died in the middle of writing a run: what is left is finished, and the rest is done again with the same
// tokens as without the interruption.
TEST(bench, resumes_after_a_torn_line) {
  const Bench bench("bench_resume");
  ASSERT_EQ(run_program(bench.arguments()).exit_code, 0);
  const auto result_path = bench.only_file(".json");
  const auto log_path = bench.only_file(".jsonl");
  const Json uninterrupted = without_times(read_json(result_path));

  std::string log = read_file(log_path);
  log.resize(log.size() * 3 / 5);
  std::ofstream(log_path, std::ios::binary) << log;
  std::filesystem::remove(result_path);
  const ProgramResult changed = run_program(bench.arguments() + " --resume --seed 1");
  EXPECT_EQ(changed.exit_code, 2);
  EXPECT_NE(changed.err.find("seed"), std::string::npos) << changed.err;

  const ProgramResult resumed = run_program(bench.arguments() + " --resume", 1);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(without_times(read_json(bench.only_file(".json"))), uninterrupted);
}

// Which tokens are proposed depends on the costs of steps: a resumed benchmark goes on with those that it began with,
// though it would measure others.
TEST(bench, resumes_with_the_step_costs_of_its_beginning) {
  const Bench bench("bench_step_costs");
  const std::string arguments = bench.arguments() + " --token-speculation auto";
  ASSERT_EQ(run_program(arguments).exit_code, 0);
  const auto result_path = bench.only_file(".json");
  const auto log_path = bench.only_file(".jsonl");
  const Json shipped = read_json(result_path).at("config").at("step_costs");
  EXPECT_EQ(shipped.at("target").size(), 5u);
  EXPECT_EQ(shipped.at("draft").size(), 5u);

  std::string log = read_file(log_path);
  const std::size_t end_of_header = log.find('\n');
  Json header = parse_json(log.substr(0, end_of_header), "header");
  EXPECT_EQ(header.at("description").at("step_costs"), shipped);
  const Json changed{{"target", {1, 2, 3, 4, 5}}, {"draft", {6, 7, 8, 9, 10}}};
  header["description"]["step_costs"] = changed;
  log = header.dump() + log.substr(end_of_header);
  log.resize(log.size() * 3 / 5);
  std::ofstream(log_path, std::ios::binary) << log;
  std::filesystem::remove(result_path);
  const ProgramResult resumed = run_program(arguments + " --resume --calibrate-steps", 1);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("(recorded): target 1 2 3 4 5, draft 6 7 8 9 10"), std::string::npos) << resumed.err;
  EXPECT_EQ(read_json(bench.only_file(".json")).at("config").at("step_costs"), changed);
}

TEST(bench, finds_an_unwritable_folder_before_loading) {
  const Bench bench("bench_unwritable");
  std::ofstream(bench.folder / "results") << "a file where the folder should be";
  const ProgramResult result = run_program(bench.arguments(), 2);
  EXPECT_TRUE(result.exit_code == 2 || result.exit_code == 3) << result.exit_code;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(testing_support::count_messages(result.err), 1) << result.err;
}

}  // namespace
}  // namespace specthink
