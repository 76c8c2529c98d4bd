// Judged answers of many kinds: text, stored answer and verdict.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "fixtures.h"
#include "specthink/base/json.h"
#include "specthink/evaluation/gold.h"
#include "specthink/evaluation/judge.h"

namespace specthink {
namespace {

struct Score {
  std::size_t cases = 0;
  std::size_t wrong = 0;
  std::size_t false_accepts = 0;
};

Score judge_cases(const std::filesystem::path& path) {
  const Judge judge;
  Score score;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const Json c = parse_json(line, path.string());
    const auto form = answer_form_of(c.at("dataset").get<std::string>());
    if (!form) ADD_FAILURE() << line;
    if (!form) continue;
    const std::string known = known_answer(c.at("gold"), *form, path.string());
    const Verdict verdict = judge.text(c.at("text").get<std::string>(), known, form->rule());
    ++score.cases;
    if (verdict.correct == c.at("expected").get<bool>()) continue;
    ++score.wrong;
    if (verdict.correct) ++score.false_accepts;
    std::cout << known << " | " << verdict.answer.value_or("(none)") << " | " << c.at("why") << "\n";
  }
  std::cout << "checked " << score.cases << " judged answers, " << score.wrong << " judged otherwise\n";
  return score;
}

TEST(answer_cases, own_cases_are_all_right) {
  const Score score = judge_cases(own_data() / "answer_cases" / "cases.jsonl");
  EXPECT_GE(score.cases, 150u);
  EXPECT_EQ(score.wrong, 0u);
}

TEST(answer_cases, shared_cases) {
  const auto path = shared_data() / "answer_cases" / "cases.jsonl";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no shared data in " << shared_data();
  const Score score = judge_cases(path);
  EXPECT_EQ(score.false_accepts, 0u);
  EXPECT_LE(static_cast<double>(score.wrong), 0.03 * static_cast<double>(score.cases));
}

// Texts that would take a careless judge for ever, or its stack: each is judged, against something and against itself.
TEST(answer_cases, pathological_answers_are_judged) {
  const auto repeated = [](const std::string& text, std::size_t times) {
    std::string result;
    for (std::size_t i = 0; i < times; ++i) result += text;
    return result;
  };
  const auto nested = [&](const std::string& open, const std::string& close, std::size_t depth) {
    return repeated(open, depth) + "2" + repeated(close, depth);
  };
  const Judge judge;
  const AnswerRule rule = answer_form_of("math500")->rule();
  for (const std::string& answer :
       {nested("{", "}", 10'000), nested("(", ")", 10'000), nested("\\frac{1}{", "}", 10'000),
        nested("2^{", "}", 10'000), nested("\\sqrt{", "}", 10'000), repeated("1+", 500'000) + "1",
        repeated("7", 1'000'000), repeated("(x+1)", 200), repeated("1,", 100'000) + "1", std::string("9^{9^{9}}"),
        std::string("100000!"), std::string("2^{99999999999}")}) {
    const std::string text = "So \\boxed{" + answer + "}.";
    EXPECT_FALSE(judge.text(text, "1", rule).correct) << answer.substr(0, 40);
    if (answer.size() > 200'000) continue;
    EXPECT_TRUE(judge.text(text, answer, rule).correct) << answer.substr(0, 40);
  }
  EXPECT_FALSE(judge.text("\\boxed{" + repeated("{", 10'000), "1", rule).answer) << "never closed";
  EXPECT_TRUE(judge.text(repeated("\\boxed{1} ", 100'000), "1", rule).correct);
}

TEST(answer_cases, gold_of_another_form_is_refused) {
  const auto message = [](const char* dataset, const Json& gold) {
    return message_of<UserError>([&] { known_answer(gold, *answer_form_of(dataset), "f:1"); });
  };
  expect_contains(message("gsm8k", "no mark"), "f:1: expected a solution with its answer behind ####");
  expect_contains(message("minerva", "no box"), "\\boxed{}");
  expect_contains(message("mmlu", 4), "found 4");
  expect_contains(message("mmlu", "yes"), "letter");
  expect_contains(message("arc", "5"), "found \"5\"");
  expect_contains(message("gpqa", "E"), "found \"E\"");
  expect_contains(message("math500", Json::array()), "string or a number");
  expect_contains(message("olympiadbench", Json::array()), "list of answers");
  EXPECT_FALSE(answer_form_of("livecodebench"));
}

TEST(answer_cases, gold_forms) {
  const auto known = [](const char* dataset, const Json& gold) {
    return known_answer(gold, *answer_form_of(dataset), "f:1");
  };
  EXPECT_EQ(known("amc23", 27.0), "27");
  EXPECT_EQ(known("amc23", -6), "-6");
  EXPECT_EQ(known("gsm8k", "2*3=<<2*3=6>>6\n#### 1,250"), "1,250");
  EXPECT_EQ(known("minervamath", "so $\\boxed{\\frac{1}{2}}$."), "\\frac{1}{2}");
  EXPECT_EQ(known("olympiadbench_math_en", Json::array({"$1$", "$-2$"})), "$1$, $-2$");
  EXPECT_EQ(known("mmlu", 2), "C");
  EXPECT_EQ(known("mmlu_pro", "J"), "J");
  EXPECT_EQ(known("arc_c", "4"), "D");
  EXPECT_EQ(known("arc_c", 1), "A");
}

}  // namespace
}  // namespace specthink
