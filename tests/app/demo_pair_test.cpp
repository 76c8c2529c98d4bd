// The pair that ships in models/demo, and the problems that ship with it.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>

#include "app/program.h"
#include "specthink/base/error.h"
#include "specthink/base/json.h"

namespace specthink {
namespace {

using testing_support::ProgramResult;
using testing_support::run_program;

struct DemoProblem {
  std::string text;
  std::string answer;
};

std::vector<DemoProblem> shipped_problems() {
  std::vector<DemoProblem> problems;
  std::ifstream file("configs/tasks/demo.jsonl");
  for (std::string line; std::getline(file, line);) {
    const Json problem = parse_json(line, "demo.jsonl");
    problems.push_back({problem.at("problem"), problem.at("answer")});
  }
  return problems;
}

int number_in(const std::string& word) { return word == "two" ? 2 : word == "three" ? 3 : word == "four" ? 4 : 0; }

/// What the display shows in the end, worked out from the problem's text.
std::string solve(const std::string& text) {
  std::smatch match;
  if (!std::regex_search(text, match, std::regex(R"(The display shows (\d\d)\. (.*)\. What does it show)")))
    throw UserError("no display in: {}", text);
  std::string display = match[1];
  const std::string steps = match[2];
  const std::regex step_pattern(R"([A-P]\) ([^;]+))");
  for (std::sregex_iterator step(steps.begin(), steps.end(), step_pattern), end; step != end; ++step) {
    const std::string what = (*step)[1];
    if (what == "swap the digits") {
      std::swap(display[0], display[1]);
    } else if (std::regex_match(what, match, std::regex(R"(write (\d) (first|second))"))) {
      display[match[2] == "first" ? 0 : 1] = match[1].str()[0];
    } else if (std::regex_match(what, match, std::regex(R"(turn by (\d))"))) {
      display[1] = static_cast<char>('0' + (display[1] - '0' + std::stoi(match[1])) % 10);
    } else if (std::regex_match(what, match, std::regex(R"(times (\d+))"))) {
      display = fmt::format("{:05d}", std::stoi(display) * std::stoi(match[1]));
    } else if (std::regex_match(what, match, std::regex(R"(keep digits (\w+) and (\w+))"))) {
      display = {display[static_cast<std::size_t>(number_in(match[1])) - 1],
                 display[static_cast<std::size_t>(number_in(match[2])) - 1]};
    } else {
      throw UserError("unknown step '{}' in: {}", what, text);
    }
  }
  return display;
}

TEST(demo_pair, shipped_answers_are_right) {
  const std::vector<DemoProblem> problems = shipped_problems();
  EXPECT_EQ(problems.size(), 200u);
  for (const DemoProblem& problem : problems) EXPECT_EQ(solve(problem.text), problem.answer) << problem.text;
}

TEST(demo_pair, greedy_float32_is_the_same_on_one_and_two_ranks) {
  const std::vector<DemoProblem> problems = shipped_problems();
  int right = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    const std::string arguments =
        "generate --config configs/demo.yml --dtype float32 --temperature 0 --format json '"
        "Work through the list, one thought for each step. " +
        problems[i].text + "'";
    const ProgramResult alone = run_program(arguments, 1);
    const ProgramResult sharded = run_program(arguments, 2);
    ASSERT_EQ(alone.exit_code, 0) << alone.err;
    const Json result = parse_json(alone.out, "stdout");
    // How many tokens were proposed follows what steps cost, which depends on the ranks.
    for (const char* key : {"ids", "text", "finish_reason"}) {
      EXPECT_EQ(result.at(key), parse_json(sharded.out, "stdout").at(key)) << "problem " << i;
    }
    EXPECT_EQ(result.at("finish_reason"), "stop");
    EXPECT_LT(result.at("ledger").at("target_share").get<double>(), 0.35);
    right += result.at("text").get<std::string>().find("\\boxed{" + solve(problems[i].text) + "}") != std::string::npos;
  }
  EXPECT_GE(right, 4) << "of five problems";
}

}  // namespace
}  // namespace specthink
