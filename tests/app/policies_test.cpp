// The policies as a user runs them, on the pair that ships with the project.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "app/program.h"
#include "specthink/base/file.h"
#include "specthink/base/json.h"

namespace specthink {
namespace {

using testing_support::fresh_folder;
using testing_support::ProgramResult;
using testing_support::run_program;

constexpr const char* kNames[] = {"sentiment",     "relay",  "score",  "step_entropy",
                                  "token_entropy", "random", "target", "draft"};
const std::string kAll = fmt::format("{}", fmt::join(kNames, ","));
const std::string kDemo =
    " --config configs/demo.yml --dtype float32 --cues '[\"Now step\", \"That makes\"]' --target-rate 0.4"
    " --max-tokens 160 --num-problems 2 --num-runs 1";

std::string question() {
  const std::string lines = read_file("configs/tasks/demo.jsonl");
  const Json first = parse_json(lines.substr(0, lines.find('\n')), "demo.jsonl");
  return "Work through the list, one thought for each step. " + first.at("problem").get<std::string>();
}

Json answer_of(const std::string& flags) {
  const ProgramResult result =
      run_program("generate --config configs/demo.yml --dtype float32 --max-tokens 200 --format json " + flags + " '" +
                      question() + "'",
                  1);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.exit_code == 0 ? parse_json(result.out, "stdout") : Json();
}

std::filesystem::path log_of(const std::filesystem::path& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".jsonl") return entry.path();
  }
  ADD_FAILURE() << "no log in " << folder;
  return {};
}

// The runs of a log, behind its header.
std::vector<Json> runs_of(const std::filesystem::path& log) {
  std::vector<Json> runs;
  std::istringstream lines(read_file(log));
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) runs.push_back(parse_json(line, log.string()));
  return runs;
}

void cut_behind_first_run(const std::filesystem::path& folder) {
  const std::filesystem::path log = log_of(folder);
  const std::string text = read_file(log);
  std::ofstream(log) << text.substr(0, text.find('\n', text.find('\n') + 1) + 1);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".json") std::filesystem::remove(entry.path());
  }
}

TEST(policies, all_run_on_the_same_problems_in_one_benchmark) {
  const auto folder = fresh_folder("policies_bench");
  // The pair's target likes every step: without the first one it would write none under score.
  const std::string arguments =
      "bench" + kDemo + " --first-steps-by-target 1 --policies " + kAll + " --output-dir " + folder.string();
  const ProgramResult result = run_program(arguments + " --format json", 2);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json policies = parse_json(result.out, "stdout").at("policies");
  ASSERT_EQ(policies.size(), 8u);
  std::set<std::string> texts;
  for (const Json& policy : policies) {
    const auto name = policy.at("policy").get<std::string>();
    const Json document = read_json(policy.at("summary").at("files").at("results").get<std::string>());
    EXPECT_EQ(policy.at("runs"), 2) << name;
    const double share = policy.at("target_share");
    if (name == "target") EXPECT_EQ(share, 1);
    if (name == "draft") EXPECT_EQ(share, 0);
    if (name != "target" && name != "draft") {
      EXPECT_GT(share, 0) << name;
      EXPECT_LT(share, 1) << name;
      EXPECT_GT(policy.at("hand_overs").get<double>(), 0) << name;
    }
    EXPECT_EQ(document.at("config").value("policy", "sentiment"), name);
  }
  // Interrupted behind the first run and resumed: the runs have the same tokens again.
  std::map<std::string, std::vector<Json>> before;
  for (const std::string policy : kNames) {
    before[policy] = runs_of(log_of(folder / policy));
    cut_behind_first_run(folder / policy);
  }
  const ProgramResult resumed = run_program(arguments + " --resume", 2);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  for (const std::string policy : kNames) {
    const std::vector<Json> runs = runs_of(log_of(folder / policy));
    ASSERT_EQ(runs.size(), 2u) << policy;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      for (const char* key : {"generated_text", "num_tokens", "ledger", "correct_tokens"}) {
        EXPECT_EQ(runs[i].at(key), before[policy][i].at(key)) << policy << " " << key;
      }
    }
  }
  // Once more: everything is there.
  const ProgramResult again = run_program(arguments + " --resume", 2);
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_NE(again.out.find("token_entropy"), std::string::npos) << again.out;
  // Each policy's own trace can be replayed.
  // Those of sentiment can with compat original (replay_test.cpp): the fixed loop's do not say which probes stayed.
  for (const std::string policy : kNames) {
    if (policy == "sentiment") continue;
    const ProgramResult replayed = run_program(
        "replay --target models/demo/target --draft models/demo/draft --workload-file " +
        log_of(folder / policy).string() + " --no-step-table --no-prefill-table --token-speculation off --output-dir " +
        (folder / policy / "replay").string());
    EXPECT_EQ(replayed.exit_code, 0) << policy << ": " << replayed.err;
  }
}

TEST(policies, one_that_matches_the_share_of_another) {
  const auto folder = fresh_folder("policies_share");
  const ProgramResult relay =
      run_program("bench" + kDemo + " --policies relay,random --format json --output-dir " + folder.string(), 1);
  ASSERT_EQ(relay.exit_code, 0) << relay.err;
  const Json first = parse_json(relay.out, "stdout").at("policies")[0];
  const std::string file = first.at("summary").at("files").at("results");
  const ProgramResult control = run_program(
      "bench --config configs/demo.yml --dtype float32 --policies random --target-rate auto --match-share " + file +
          " --original-recap-token-num 8 --max-tokens 160 --num-problems 2 --num-runs 1 --format json"
          " --output-dir " +
          (folder / "control").string(),
      1);
  ASSERT_EQ(control.exit_code, 0) << control.err;
  const Json matched = parse_json(control.out, "stdout").at("policies")[0];
  const double wanted = std::min(0.3, first.at("target_share").get<double>());
  EXPECT_GT(matched.at("target_share").get<double>(), wanted / 2);
}

TEST(policies, a_target_alone_writes_what_normal_mode_writes) {
  const Json alone = answer_of("--policy target");
  EXPECT_EQ(alone.at("ids"), answer_of("--draft none").at("ids"));
  EXPECT_EQ(alone.at("ledger").at("target_share"), 1);
}

TEST(policies, token_speculation_changes_no_text) {
  for (const char* policy : {"--policy relay --cues '[\"Now step\"]'", "--policy token_entropy",
                             "--policy step_entropy", "--policy score", "--policy random --target-rate 0.5"}) {
    EXPECT_EQ(answer_of(std::string(policy) + " --token-speculation auto").at("ids"),
              answer_of(std::string(policy) + " --token-speculation off").at("ids"))
        << policy;
  }
}

TEST(policies, a_thinking_budget_ends_the_thinking) {
  const Json answer = answer_of("--policy draft --thinking-budget 20 --thinking-budget-words ' Enough.'");
  const auto text = answer.at("text").get<std::string>();
  EXPECT_NE(text.find(" Enough.</think>"), std::string::npos) << text;
  EXPECT_GT(answer.at("ledger").at("injected").get<int>(), 1);
  EXPECT_EQ(answer.at("ledger").at("hand_overs").at("thinking_budget"), 1);
}

TEST(policies, a_calibration_finds_a_rate) {
  const ProgramResult result = run_program(
      "bench --config configs/demo.yml --policy random --target-rate 0 --original-recap-token-num 12 --max-tokens 120"
      " --num-problems 2 --num-runs 1 --calibrate 0.15 --format json",
      1);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json found = parse_json(result.out, "stdout");
  EXPECT_EQ(found.at("key"), "target_rate");
  EXPECT_GT(found.at("tries").size(), 1u);
  EXPECT_NEAR(found.at("target_share").get<double>(), 0.15, 0.1);
}

TEST(policies, mistakes_are_one_line_and_exit_code_2) {
  for (const auto& [flags, expected] :
       {std::pair("--policy relay", "qwen3"),
        std::pair("--policy relay --cues qwen3 --compat original", "compat: fixed"),
        std::pair("--cues qwen3", "belongs to policy relay"), std::pair("--policy random", "target_rate"),
        std::pair("--policy sentimental", "expected one of")}) {
    const ProgramResult result = run_program(std::string("generate --config configs/demo.yml ") + flags + " hello");
    EXPECT_EQ(result.exit_code, 2) << flags;
    EXPECT_NE(result.err.find(expected), std::string::npos) << result.err;
    EXPECT_EQ(testing_support::count_messages(result.err), 1) << result.err;
  }
  const ProgramResult calibrate = run_program("bench --config configs/demo.yml --policy draft --calibrate 0.2", 1);
  EXPECT_EQ(calibrate.exit_code, 2);
  EXPECT_NE(calibrate.err.find("no threshold and no rate"), std::string::npos) << calibrate.err;
}

}  // namespace
}  // namespace specthink
