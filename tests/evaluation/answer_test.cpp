#include "specthink/evaluation/answer.h"

#include <gtest/gtest.h>

#include <cctype>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "fixtures.h"
#include "specthink/base/json.h"

namespace specthink {
namespace {

TEST(answer, last_boxed) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"(so \boxed{70}.)", "70"},
      {R"(\boxed{1} then \boxed{2})", "2"},
      {R"(\boxed{\frac{1}{2}})", R"(\frac{1}{2})"},
      {R"(\boxed {  5 })", "5"},
      {R"(\fbox{6})", "6"},
      {R"(so \boxed 5 and)", "5"},
      {R"(\boxed{7} and \boxed-8.)", "-8"},
      {R"(\boxed{7} in \boxed{} as told)", "7"},
      {R"(\boxed{8} and \boxed{ )", "8"},
      {R"(\boxed{9} cut \boxed{12)", "9"},
      {R"(\boxed{\{1, 2\}})", R"(\{1, 2\})"},
      {R"(\boxed{\boxed{3}})", "3"},
      {R"(} } \boxed{4} })", "4"},
      {R"({ \boxed{4} never closed)", "4"},
      {R"(\boxed{a \} b})", R"(a \} b)"},
  };
  for (const auto& [text, expected] : cases) {
    const auto found = last_boxed(text);
    ASSERT_TRUE(found) << text;
    EXPECT_EQ(*found, expected) << text;
  }
  for (const char* text :
       {"", "70", R"(\boxed{})", R"(\boxed{ })", R"(\boxed)", R"(\boxed{5)", R"(\boxed -)", R"(\\boxed{5)", "\\"}) {
    EXPECT_FALSE(last_boxed(text)) << text;
  }
}

TEST(answer, open_boxes_take_linear_time) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "\\boxed{1";
  EXPECT_FALSE(last_boxed(text));
}

TEST(answer, same_numbers) {
  const std::vector<std::pair<std::string, std::string>> same{
      {"70", "70"},
      {"016", "16"},
      {"-3",
       "\xE2\x88\x92"
       "3"},
      {"+3", "3"},
      {"70.", "70"},
      {"70.0", "70"},
      {"0.50", "\\frac{1}{2}"},
      {".5", "1/2"},
      {"1,234", "1234"},
      {"1{,}234", "1234"},
      {"1,\\!234,\\! 567", "1234567"},
      {"10,080", "10080"},
      {"$42$", "42"},
      {"\\$32,\\!348", "32348"},
      {"\\text{42}", "42"},
      {" 4 2 ", "42"},
      {"\\frac43", "4/3"},
      {"\\dfrac{4}{3}", "\\tfrac 43"},
      {"\\frac 59", "5/9"},
      {"\\frac{270}7\\text{ degrees}", "\\frac{270}{7}"},
      {"-\\frac{3}{8}", "\\frac{-3}{8}"},
      {"\\frac{3}{-8}", "-0.375"},
      {"2/4", "1/2"},
      {"1\\frac{4}{5}", "9/5"},
      {"137 \\frac{1}{2}", "137.5"},
      {"10\\%", "10"},
      {"10\\%", "0.1"},
      {"1e3", "1000"},
      {"1/2/3", "1/6"},
      {"90^\\circ", "90"},
      {"90^{\\circ}", "90\xC2\xB0"},
      {"5.4 \\text{ cents}", "5.4"},
      {"864 \\mbox{ inches}^2", "864"},
      {"15\\mbox{ cm}^{2}", "15"},
      {"x=5", "5"},
      {"-0", "0"},
      {"0.000", ".0"},
      {"0.0", "-\\frac{0}{7}"},
      {"123456789012345678", "123456789012345678.0"},
  };
  for (const auto& [a, b] : same) {
    EXPECT_TRUE(same_answer(a, b)) << a << " | " << b;
    EXPECT_TRUE(same_answer(b, a)) << b << " | " << a;
  }
}

TEST(answer, different_numbers) {
  const std::vector<std::pair<std::string, std::string>> different{
      {"70", "71"},
      {"-3", "3"},
      {"0.333", "1/3"},
      {"12,34", "1234"},
      {"3, 500", "3500"},
      {"10\\%", "0.2"},
      {"1/0", "0"},
      {"", "0"},
      {"", ""},
      {"3\\text{ or }5", "35"},
      {"1.2.3", "1.23"},
      {"1e3", "100"},
      {"\\frac{1}{}", "1"},
      {"\\frac", "0"},
      {"5^2", "52"},
      {"52_8", "528"},
      {"1234,567", "1234567"},
      {"99999999999999999999", "99999999999999999998"},
      {"7\\text{ cm}", "8"},
      {"\\frac{1}{2}3", "13/2"},
  };
  for (const auto& [a, b] : different) {
    EXPECT_FALSE(same_answer(a, b)) << a << " | " << b;
    EXPECT_FALSE(same_answer(b, a)) << b << " | " << a;
  }
}

TEST(answer, same_texts) {
  const std::vector<std::pair<std::string, std::string>> same{
      {"\\text{east}", "east"},
      {"\\left( 3, \\frac{\\pi}{2} \\right)", "(3,\\dfrac{\\pi}2)"},
      {"11\\sqrt2", "11 \\sqrt{2}"},
      {"p - q", "p-q"},
      {"1,-2", "1, -2"},
      {"\\frac{\\sqrt{3}}{3}", "\\frac{\\sqrt3}3"},
      {"99999999999999999999", "99999999999999999999"},
      {"y = 2x + 3", "2x+3"},
  };
  for (const auto& [a, b] : same) EXPECT_TRUE(same_answer(a, b)) << a << " | " << b;
  for (const auto& [a, b] : std::vector<std::pair<std::string, std::string>>{{"east", "west"},
                                                                             {"\\sqrt{2}", "\\sqrt{3}"},
                                                                             {"p-q", "q-p"},
                                                                             {"(1,2)", "(2,1)"},
                                                                             {"\\rightarrow", "arrow"}}) {
    EXPECT_FALSE(same_answer(a, b)) << a << " | " << b;
  }
}

TEST(answer, no_text_breaks_the_comparison) {
  const std::vector<std::string> odd{"{",
                                     "}",
                                     "\\frac{",
                                     "\\frac{1}{2",
                                     "\\text{",
                                     "\\text{ }",
                                     "^",
                                     "5\\text{ a}^",
                                     ",",
                                     "1,",
                                     "-",
                                     ".",
                                     "/",
                                     "1/",
                                     "\\sqrt",
                                     "\\sqrt[3]{2}",
                                     "\\!",
                                     std::string("\0", 1),
                                     "\xff",
                                     std::string(5000, '{'),
                                     std::string(3000, '\\'),
                                     std::string(4000, '9')};
  for (const std::string& a : odd) {
    for (const std::string& b : odd) EXPECT_EQ(same_answer(a, b), same_answer(b, a)) << a << " | " << b;
    EXPECT_FALSE(same_answer(a, "12345")) << a;
  }
  std::string nested;
  for (int i = 0; i < 600; ++i) nested += "\\sqrt{";
  EXPECT_FALSE(same_answer(nested, "1"));
}

void expect_equal_only_to_themselves(const std::filesystem::path& problems) {
  std::ifstream in(problems);
  std::vector<std::string> answers;
  for (std::string line; std::getline(in, line);)
    answers.push_back(parse_json(line, problems.string()).at("answer").get<std::string>());
  ASSERT_FALSE(answers.empty());
  std::size_t cross = 0;
  for (const std::string& a : answers) {
    EXPECT_TRUE(same_answer(a, a)) << a;
    EXPECT_TRUE(same_answer(" $" + a + "$. ", a)) << a;
    const bool begins_with_digit = std::isdigit(static_cast<unsigned char>(a[0])) != 0;  // 1n is n
    for (const std::string& b : {std::string("123456789"), a + (a.find('.') == std::string::npos ? "1" : "9"),
                                 begins_with_digit ? "1" + a : "7" + a, "-" + a}) {
      if (a.find_first_not_of("0") == std::string::npos || a == "") continue;  // -0 is 0
      EXPECT_FALSE(same_answer(b, a)) << a << " | " << b;
      ++cross;
    }
  }
  std::cout << "checked " << answers.size() << " answers, " << cross << " wrong ones\n";
}

TEST(answer, own_answers_equal_only_themselves) {
  expect_equal_only_to_themselves(own_data() / "tasks" / "notations.jsonl");
}

TEST(answer, math500_answers_equal_only_themselves) {
  const auto path = shared_data() / "tasks" / "math500.jsonl";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no shared data in " << shared_data();
  expect_equal_only_to_themselves(path);
}

TEST(answer, pattern_takes_the_last_match) {
  const AnswerRule rule(R"((?i)final answer is\s+(-?[0-9 ]+)\.)", "task.yml:3");
  EXPECT_EQ(rule.find("The final answer is 12. No, the FINAL answer is 4 0 ."), "4 0");
  EXPECT_FALSE(rule.find("the answer is 12."));
  EXPECT_FALSE(AnswerRule("x(a*)", "t").find("x"));
  EXPECT_EQ(AnswerRule("([a ]*)", "t").find("aa \xC3\xA4  b"), "aa") << "later matches are blank";
  EXPECT_EQ(AnswerRule("(.)$", "t").find("1 \xC3\xA4"), "\xC3\xA4");
  EXPECT_EQ(AnswerRule(R"((\d+))", "t").find("\xff 12 \xc3"), "12") << "invalid UTF-8 around it";
  EXPECT_EQ(
      AnswerRule(R"([\s\S]*is (\d+))", "t").find(std::string(300'000, ' ') + "is 1 is 2 " + std::string(300'000, 'x')),
      "2");
}

TEST(answer, bad_patterns_are_refused) {
  EXPECT_NE(message_of<UserError>([] { AnswerRule("(", "task.yml:3"); }).find("task.yml:3"), std::string::npos);
  expect_contains(message_of<UserError>([] { AnswerRule("abc", "t"); }), "one group");
  expect_contains(message_of<UserError>([] { AnswerRule("(a)(b)", "t"); }), "2 groups");
  expect_contains(message_of<UserError>([] { AnswerRule(std::string(5000, 'a'), "t"); }), "4096");
  expect_contains(message_of<UserError>([] { AnswerRule("(\xff)", "t"); }), "regular expression");
}

TEST(answer, explosive_patterns_end) {
  const std::string text = std::string(100'000, 'a') + "!";
  EXPECT_FALSE(AnswerRule("((?:a|a)*)b", "t").find(text));
  EXPECT_FALSE(AnswerRule("((?:a+)+)b", "t").find(text));
  EXPECT_FALSE(AnswerRule("(a*a*a*b)", "t").find(text));
}

}  // namespace
}  // namespace specthink
