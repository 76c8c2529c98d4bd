#include "specthink/evaluation/judge.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "evaluation/analysis/same_problem.h"
#include "report/made_up_runs.h"
#include "shared_data.h"
#include "specthink/base/json.h"
#include "specthink/evaluation/task.h"

namespace specthink {
namespace {

TEST(judge, compares_the_answer_of_the_text) {
  const std::vector<Problem> problems = made_up_problems();
  const RunKey key{RunMode::spec, 1, 0};
  RunRecord record = make_record(key, made_up_outcome(problems[1], key));
  Judge().record(record, problems[1], AnswerRule());
  EXPECT_EQ(record.answer, "12");
  EXPECT_EQ(record.correct, true);
  Judge().record(record, problems[0], AnswerRule());
  EXPECT_EQ(record.correct, false);
}

TEST(judge, a_text_without_answer_is_wrong) {
  RunRecord record;
  Judge().record(record, made_up_problems()[0], AnswerRule());
  EXPECT_EQ(record.answer, std::nullopt);
  EXPECT_EQ(record.correct, false);
}

TEST(judge, problems_without_answer_have_no_verdict) {
  RunRecord record;
  record.generated_text = "\\boxed{1}";
  Judge().record(record, made_up_problems()[2], AnswerRule());
  EXPECT_EQ(record.correct, std::nullopt);
}

TEST(judge, boxes_of_the_prompt_are_no_answers) {
  Problem problem = made_up_problems()[0];
  problem.prompt = "Write \\boxed{11}";
  RunRecord record;
  record.generated_text = "user\nWrite \\boxed{11}\nassistant\nI do not know";
  Judge().record(record, problem, AnswerRule());
  EXPECT_EQ(record.correct, false);
  record.generated_text += " \\boxed{011}";
  Judge().record(record, problem, AnswerRule());
  EXPECT_EQ(record.correct, true);
}

// What the original program has written: of 25 runs of the target alone all are right, of those with the draft 23.
TEST(judge, recorded_files) {
  const auto data = testing_support::shared_data();
  if (!std::filesystem::exists(data / "seed_runs")) GTEST_SKIP() << "no shared data in " << data;
  const Task task = load_task("configs/tasks/aime25.yml");
  const std::vector<Problem> problems = load_problems(task, data, kAllProblems);
  const Judge judge;
  for (const auto& [file, expected] : {std::pair{"large_model_benchmark_20260105_135500.json", 25},
                                       std::pair{"speculative_thinking_benchmark_20260105_152011.json", 23}}) {
    const Json document = read_json(data / "seed_runs" / file);
    int runs = 0;
    int right = 0;
    for (const Json& problem : document.at("results").at("problems")) {
      const Problem* known = find_same_problem(problem.at("problem").get<std::string>(), problems);
      ASSERT_NE(known, nullptr) << problem.at("id");
      for (const Json& run : problem.at("runs")) {
        ++runs;
        right += judge.text(run.at("generated_text").get<std::string>(), *known->answer, task.answer_rule).correct;
      }
    }
    EXPECT_EQ(runs, 25) << file;
    EXPECT_EQ(right, expected) << file;
  }
}

}  // namespace
}  // namespace specthink
