#include "specthink/evaluation/judge.h"

#include <gtest/gtest.h>

#include "report/made_up_runs.h"

namespace specthink {
namespace {

TEST(judge, compares_the_answer_of_the_text) {
  const std::vector<Problem> problems = made_up_problems();
  const RunKey key{RunMode::spec, 1, 0};
  RunRecord record = make_record(key, made_up_outcome(problems[1], key));
  judge(record, problems[1], AnswerRule());
  EXPECT_EQ(record.answer, "12");
  EXPECT_EQ(record.correct, true);
  judge(record, problems[0], AnswerRule());
  EXPECT_EQ(record.correct, false);
}

TEST(judge, a_text_without_answer_is_wrong) {
  RunRecord record;
  judge(record, made_up_problems()[0], AnswerRule());
  EXPECT_EQ(record.answer, std::nullopt);
  EXPECT_EQ(record.correct, false);
}

TEST(judge, problems_without_answer_have_no_verdict) {
  RunRecord record;
  record.generated_text = "\\boxed{1}";
  judge(record, made_up_problems()[2], AnswerRule());
  EXPECT_EQ(record.correct, std::nullopt);
}

TEST(judge, boxes_of_the_prompt_are_no_answers) {
  Problem problem = made_up_problems()[0];
  problem.prompt = "Write \\boxed{11}";
  RunRecord record;
  record.generated_text = "user\nWrite \\boxed{11}\nassistant\nI do not know";
  judge(record, problem, AnswerRule());
  EXPECT_EQ(record.correct, false);
  record.generated_text += " \\boxed{011}";
  judge(record, problem, AnswerRule());
  EXPECT_EQ(record.correct, true);
}

}  // namespace
}  // namespace specthink
