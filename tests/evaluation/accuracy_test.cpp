// Golden values are those of scipy 1.x and statsmodels 0.14, or of counting every subset.
#include "specthink/evaluation/accuracy.h"

#include <gtest/gtest.h>

#include <vector>

namespace specthink {
namespace {

std::vector<ProblemSamples> of_four(const std::vector<std::size_t>& right) {
  std::vector<ProblemSamples> problems;
  for (const std::size_t count : right) problems.push_back({count, {}, 4 - count});
  return problems;
}

// statsmodels: OLS on a constant, cov_type="cluster"; proportion_confint(method="wilson") with the effective size.
TEST(accuracy, clusters_by_problem) {
  const Proportion result = accuracy(of_four({4, 4, 3, 0, 2, 4, 1, 0, 4, 2, 3, 4}));
  EXPECT_NEAR(result.mean, 0.6458333333333337, 1e-12);
  EXPECT_NEAR(result.standard_error, 0.11289213364262306, 1e-12);
  EXPECT_NEAR(result.effective_n, 17.947368421052587, 1e-9);
  EXPECT_NEAR(result.low, 0.41766850163946445, 1e-9);
  EXPECT_NEAR(result.high, 0.8225761459833133, 1e-9);
  EXPECT_EQ(result.n, 48u);
  EXPECT_EQ(result.problems, 12u);
}

// 5 problems say no more than 5 samples where all are right, however often each was tried.
TEST(accuracy, is_never_certain) {
  const Proportion all = accuracy(of_four({4, 4, 4, 4, 4}));
  EXPECT_EQ(all.mean, 1);
  EXPECT_NEAR(all.low, 0.5655175352168252, 1e-9);
  EXPECT_EQ(all.high, 1);
  const Proportion none = accuracy(of_four({0, 0, 0, 0, 0}));
  EXPECT_EQ(none.low, 0);
  EXPECT_NEAR(none.high, 1 - 0.5655175352168252, 1e-9);
  const Proportion one = accuracy(of_four({4}));
  EXPECT_NEAR(one.low, 0.2065493, 1e-6);
  const Proportion nothing = accuracy({});
  EXPECT_EQ(nothing.low, 0);
  EXPECT_EQ(nothing.high, 1);
}

// Samples that differ as much inside a problem as between problems are as good as independent ones, no better.
TEST(accuracy, effective_samples_are_at_most_the_samples) {
  const Proportion result = accuracy(of_four({2, 2, 2, 2, 2, 2, 2, 3}));
  EXPECT_EQ(result.effective_n, 32);
}

TEST(accuracy, problems_with_different_numbers_of_samples_count_alike) {
  const Proportion result = accuracy(std::vector<ProblemSamples>{{1, {}, 0}, {0, {9}, 0}});
  EXPECT_EQ(result.mean, 0.5);
  EXPECT_EQ(result.n, 10u);
}

TEST(pass_at_k, counts_the_subsets_with_a_right_sample) {
  EXPECT_NEAR(pass_at_k(10, 3, 1), 0.3, 1e-12);
  EXPECT_NEAR(pass_at_k(10, 3, 2), 0.5333333333333333, 1e-12);
  EXPECT_NEAR(pass_at_k(10, 3, 5), 0.9166666666666666, 1e-12);
  EXPECT_EQ(pass_at_k(10, 3, 10), 1);
  EXPECT_EQ(pass_at_k(10, 0, 5), 0);
  EXPECT_NEAR(pass_at_k(2000, 1, 1000), 0.5, 1e-9);
}

TEST(maj_at_k, votes_over_every_subset) {
  const ProblemSamples mixed{3, {2, 1}, 2};
  EXPECT_NEAR(maj_at_k(mixed, 1), 0.375, 1e-12);
  EXPECT_NEAR(maj_at_k(mixed, 2), 0.48214285714285715, 1e-12);
  EXPECT_NEAR(maj_at_k(mixed, 4), 0.6, 1e-12);
  EXPECT_NEAR(maj_at_k(mixed, 8), 1, 1e-12);
  const ProblemSamples tied{2, {2, 2, 1}, 0};
  EXPECT_NEAR(maj_at_k(tied, 3), 0.29523809523809524, 1e-12);
  EXPECT_NEAR(maj_at_k(tied, 7), 1.0 / 3, 1e-12);
  EXPECT_EQ(maj_at_k({0, {3}, 1}, 2), 0);
  EXPECT_NEAR(maj_at_k({4, {}, 0}, 2), 1, 1e-12);
  EXPECT_EQ(maj_at_k({1, {4}, 0}, 4), 0);
}

TEST(k_values, halve_down_to_one) {
  EXPECT_EQ(k_values(5), (std::vector<std::size_t>{1, 2, 5}));
  EXPECT_EQ(k_values(16), (std::vector<std::size_t>{1, 2, 4, 8, 16}));
  EXPECT_EQ(k_values(1), (std::vector<std::size_t>{1}));
}

// Drawing six of six runs is one observation of a problem, not six.
TEST(accuracy_at_k, observations_are_draws_of_k) {
  const std::vector<ProblemSamples> problems(20, {5, {1}, 0});
  const std::vector<ProportionAtK> result = accuracy_at_k(problems);
  ASSERT_EQ(result.size(), 3u);
  EXPECT_EQ(result.back().k, 6u);
  EXPECT_EQ(result.back().pass.effective_n, 20);
  std::vector<ProblemSamples> mixed = problems;
  mixed[0] = {1, {5}, 0};
  EXPECT_LE(accuracy_at_k(mixed)[1].pass.effective_n, 40) << "draws of three of 120 samples";
}

TEST(accuracy_at_k, uses_what_every_problem_has) {
  const std::vector<ProblemSamples> problems{{1, {1}, 0}, {2, {1}, 1}};
  const std::vector<ProportionAtK> result = accuracy_at_k(problems);
  ASSERT_EQ(result.size(), 2u);
  EXPECT_EQ(result[0].k, 1u);
  EXPECT_NEAR(result[0].pass.mean, 0.5, 1e-12);
  EXPECT_NEAR(result[0].majority.mean, 0.5, 1e-12);
  EXPECT_EQ(result[1].k, 2u);
  EXPECT_NEAR(result[1].pass.mean, (1 + 5.0 / 6) / 2, 1e-12);
  EXPECT_NEAR(result[1].majority.mean, (0.5 + 2.0 / 3) / 2, 1e-12);
}

}  // namespace
}  // namespace specthink
