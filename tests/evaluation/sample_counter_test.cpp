// Classes of equal answers.
#include "specthink/evaluation/sample_counter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "specthink/evaluation/answer.h"

namespace specthink {
namespace {

std::vector<std::size_t> classes_of(const std::vector<std::string>& wrong) {
  SampleCounter counter;
  for (const std::string& answer : wrong) counter.add(false, answer);
  return counter.samples().wrong;
}

TEST(sample_counter, counts_right_wrong_and_silent_samples) {
  SampleCounter counter;
  counter.add(true, "4");
  counter.add(true, "2^2");
  counter.add(false, std::nullopt);
  for (const char* answer : {"5", "x=5", "6", "5"}) counter.add(false, answer);
  const ProblemSamples samples = counter.samples();
  EXPECT_EQ(samples.right, 2u);
  EXPECT_EQ(samples.silent, 1u);
  EXPECT_EQ(samples.wrong, (std::vector<std::size_t>{3, 1}));
  EXPECT_EQ(samples.count(), 7u);
}

// Equality by pairs is not transitive: the classes are those that it spans, in whatever order the samples come.
TEST(sample_counter, classes_do_not_depend_on_the_order) {
  const std::string long_one = "5\\text{ m}";
  const std::string short_one = "5\\text{ cm}";
  for (const std::string& with_unit : {long_one, short_one}) {
    ASSERT_TRUE(same_answer("5", with_unit));
    ASSERT_FALSE(same_answer(with_unit, with_unit == long_one ? short_one : long_one));
  }
  EXPECT_EQ(classes_of({long_one, short_one}), (std::vector<std::size_t>{1, 1}));
  std::vector<std::string> answers{long_one, long_one, short_one, "5", "7"};
  std::ranges::sort(answers);
  int orders = 0;
  do {
    EXPECT_EQ(classes_of(answers), (std::vector<std::size_t>{4, 1})) << testing::PrintToString(answers);
    ++orders;
  } while (std::ranges::next_permutation(answers).found);
  EXPECT_EQ(orders, 60);
}

// One of the two is read as the right answer, of which a unit is optional, and the other way round it is not.
TEST(sample_counter, classes_do_not_depend_on_the_side) {
  const std::vector<std::string> answers{"12", "12\\text{ cm}", "x = 12", "12\\%", "0.12"};
  std::vector<std::string> reversed(answers.rbegin(), answers.rend());
  EXPECT_EQ(classes_of(answers), classes_of(reversed));
}

}  // namespace
}  // namespace specthink
