// specthink judge, as a user runs it.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "app/program.h"
#include "specthink/base/json.h"

namespace specthink {
namespace {

namespace fs = std::filesystem;
using testing_support::ProgramResult;
using testing_support::run_program;

const std::string kOpen = R"({"text": "\\boxed{\\sum_{k=1}^{3} k}", "gold": "6", "dataset": "math500"})"
                          "\n";  // what the program's own arithmetic leaves open

// A folder that looks like the one launch/setup.sh eval makes, with a helper that runs this shell script.
fs::path helper_folder(const std::string& name, const std::string& script) {
  const fs::path folder = testing_support::fresh_folder(name);
  fs::create_directories(folder / "bin");
  std::ofstream(folder / "bin" / "python3") << "#!/bin/sh\n" << script << "\n";
  std::ofstream(folder / "math_verify_helper.py") << "\n";
  fs::permissions(folder / "bin" / "python3", fs::perms::owner_all);
  return folder;
}

ProgramResult judge(const std::string& lines, const std::string& arguments, const fs::path& helper = "/none") {
  const fs::path folder = testing_support::fresh_folder("judged");
  std::ofstream(folder / "answers.jsonl") << lines;
  ::setenv("SPECTHINK_MATH_VERIFY", helper.c_str(), 1);
  return run_program("judge --answers " + (folder / "answers.jsonl").string() + " " + arguments);
}

TEST(judge_command, a_line_for_each_in_order) {
  const ProgramResult result = judge(R"({"text": "So \\boxed{\\frac{2}{4}}.", "gold": "0.5", "dataset": "math500"}

{"text": "The answer is (B).", "gold": 2, "dataset": "mmlu"}
{"text": "no idea", "gold": "#### 5", "dataset": "gsm8k"}
)",
                                     "--judge exact");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, R"({"correct":true,"answer":"\\frac{2}{4}","judge":"exact","reason":"equal"}
{"correct":false,"answer":"B","judge":"exact","reason":"different"}
{"correct":false,"answer":null,"judge":"exact","reason":"no answer"}
)");
  const ProgramResult from_stdin =
      run_program("judge --judge exact", 0, R"({"text": "\\boxed{7}", "gold": 7.0, "dataset": "amc"})");
  EXPECT_NE(from_stdin.out.find("\"correct\":true"), std::string::npos) << from_stdin.err;
}

TEST(judge_command, bad_lines) {
  const auto fails = [](const std::string& line, const std::string& expected) {
    const ProgramResult result = judge("\n" + line + "\n", "--judge exact");
    EXPECT_EQ(result.exit_code, 2) << line;
    EXPECT_NE(result.err.find("answers.jsonl:2"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find(expected), std::string::npos) << result.err;
    EXPECT_EQ(testing_support::count_messages(result.err), 1) << result.err;
  };
  fails("{", "not valid JSON");
  fails("[]", "expected an object");
  fails(R"({"gold": "1", "dataset": "math500"})", "no \"text\"");
  fails(R"({"text": 1, "gold": "1", "dataset": "math500"})", "expected a string in \"text\", found 1");
  fails(R"({"text": "1", "dataset": "math500"})", "no \"gold\"");
  fails(R"({"text": "1", "gold": [], "dataset": "math500"})", "expected an answer as a string or a number");
  fails(R"({"text": "1", "gold": "1", "dataset": "apps"})", "unknown \"dataset\" 'apps'");
  const ProgramResult missing = run_program("judge --answers /none/such.jsonl");
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_NE(missing.err.find("/none/such.jsonl"), std::string::npos) << missing.err;
}

TEST(judge_command, what_is_open_goes_to_the_helper) {
  const fs::path says_yes = helper_folder("yes", R"(while read -r line; do echo '{"same": true}'; done)");
  EXPECT_NE(judge(kOpen, "", says_yes).out.find(R"("correct":true)"), std::string::npos);
  EXPECT_NE(judge(kOpen, "", says_yes).out.find(R"("judge":"math-verify","reason":"equal")"), std::string::npos);
  EXPECT_NE(judge(kOpen, "--judge exact", says_yes).out.find(R"("correct":false)"), std::string::npos);
  const std::string decided = R"({"text": "\\boxed{7}", "gold": "8", "dataset": "math500"})";
  EXPECT_NE(judge(decided, "", says_yes).out.find(R"("judge":"exact","reason":"different")"), std::string::npos);
  EXPECT_NE(judge(decided, "--judge math-verify", says_yes).out.find(R"("judge":"math-verify","reason":"equal")"),
            std::string::npos);
}

TEST(judge_command, helpers_that_fail) {
  for (const char* script :
       {"exit 1", "read -r line; echo nonsense", "read -r line; echo '[1]'", "echo '{\"same\": null}'"}) {
    const ProgramResult result = judge(kOpen + kOpen + kOpen + kOpen, "", helper_folder("fails", script));
    EXPECT_EQ(result.exit_code, 0) << script << result.err;
    EXPECT_EQ(testing_support::count_lines(result.out), 4) << script;
    EXPECT_EQ(result.out.find(R"("correct":true)"), std::string::npos) << script;
    EXPECT_NE(result.out.find("not decided"), std::string::npos) << script;
  }
  EXPECT_NE(judge(kOpen, "").out.find(R"("judge":"exact","reason":"not decided")"), std::string::npos) << "none there";
  const ProgramResult missing = judge(kOpen, "--judge math-verify");
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_NE(missing.err.find("launch/setup.sh eval"), std::string::npos) << missing.err;
}

// A file of the original has neither answers nor judgements: the report's judge gives them.
TEST(judge_command, a_report_judges_as_it_does) {
  const fs::path says_yes = helper_folder("yes", R"(while read -r line; do echo '{"same": true}'; done)");
  const fs::path folder = testing_support::fresh_folder("judged_report");
  std::ofstream(folder / "sums.yml") << "name: sums\ntemplate: '{problem}'\ndata: sums.jsonl\nanswer_key: answer\n";
  std::ofstream(folder / "sums.jsonl") << R"({"problem": "Add 1, 2 and 3.", "answer": "6"})"
                                       << "\n";
  std::ofstream(folder / "runs.json") << R"({"model_type": "large_model", "config": {}, "results": {"problems": [{
      "problem": "Add 1, 2 and 3.", "runs": [{"run": 0, "latency": 1, "num_tokens": 3,
      "generated_text": "\\boxed{\\sum_{k=1}^{3} k}"}]}]}})";
  const auto share_right = [&](const std::string& arguments, const fs::path& helper) {
    ::setenv("SPECTHINK_MATH_VERIFY", helper.c_str(), 1);
    const ProgramResult result = run_program("report " + (folder / "runs.json").string() + " --format json --task " +
                                             (folder / "sums.yml").string() + " " + arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return parse_json(result.out, "stdout").at("systems").at(0).at("accuracy").at("mean").get<double>();
  };
  EXPECT_EQ(share_right("", says_yes), 1);
  EXPECT_EQ(share_right("--judge both", says_yes), 1);
  EXPECT_EQ(share_right("--judge math-verify", says_yes), 1);
  EXPECT_EQ(share_right("--judge exact", says_yes), 0);
  EXPECT_EQ(share_right("", "/none"), 0) << "without math-verify it is not decided";
  const ProgramResult missing = run_program("report " + (folder / "runs.json").string() +
                                            " --judge math-verify --task " + (folder / "sums.yml").string());
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_NE(missing.err.find("launch/setup.sh eval"), std::string::npos) << missing.err;
}

}  // namespace
}  // namespace specthink
