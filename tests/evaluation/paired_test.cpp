// Golden values are those of scipy and statsmodels; the formula of Agresti and Min was evaluated with numpy.
#include "specthink/evaluation/paired.h"

#include <gtest/gtest.h>

#include <vector>

namespace specthink {
namespace {

std::vector<ProblemSamples> of_n(std::size_t n, const std::vector<std::size_t>& right) {
  std::vector<ProblemSamples> problems;
  for (const std::size_t count : right) problems.push_back({count, {}, n - count});
  return problems;
}

// statsmodels: mcnemar(table, exact=True).pvalue.
TEST(paired, mcnemar) {
  EXPECT_NEAR(mcnemar_p(8, 2), 0.109375, 1e-12);
  EXPECT_NEAR(mcnemar_p(1, 6), 0.125, 1e-12);
  EXPECT_NEAR(mcnemar_p(12, 3), 0.03515625, 1e-12);
  EXPECT_EQ(mcnemar_p(5, 5), 1);
  EXPECT_EQ(mcnemar_p(0, 0), 1);
}

// scipy: permutation_test(permutation_type="samples", n_resamples=inf).pvalue.
TEST(paired, sign_flips) {
  EXPECT_NEAR(sign_flip_p(std::vector<double>{-.5, .25, .25, .75, .5, -.25, 1, .25, .75, .25}), 0.078125, 1e-12);
  EXPECT_EQ(sign_flip_p(std::vector<double>{0, 0, 0}), 1);
  EXPECT_EQ(sign_flip_p(std::vector<double>{}), 1);
  EXPECT_NEAR(sign_flip_p(std::vector<double>{1. / 3, 1. / 7, 1. / 3, 1. / 7}), 0.125, 1e-12);
  EXPECT_NEAR(sign_flip_p(std::vector<double>{0.1234567, 0.7654321, 0.31415926}), 0.25, 1e-12) << "no common fraction";
}

TEST(paired, several_samples_a_problem) {
  const PairedDifference result =
      paired_difference(of_n(4, {4, 4, 3, 0, 2, 4, 1, 0, 4, 2, 3, 4}), of_n(4, {4, 3, 3, 1, 4, 4, 3, 0, 4, 3, 4, 4}));
  EXPECT_NEAR(result.mean, 0.125, 1e-12);
  EXPECT_NEAR(result.standard_error, 0.0652791209833867, 1e-12) << "scipy.stats.sem";
  EXPECT_NEAR(result.p_value, 0.15625, 1e-12);
  EXPECT_FALSE(result.is_mcnemar);
  EXPECT_NEAR(result.low, -0.01867837654826085, 1e-9) << "scipy.stats.t.interval";
  EXPECT_NEAR(result.high, 0.2686783765482609, 1e-9);
}

TEST(paired, one_sample_a_problem_is_mcnemar) {
  std::vector<std::size_t> first(40, 1);
  std::vector<std::size_t> second(40, 1);
  for (std::size_t i = 0; i < 8; ++i) first[i] = 0;
  for (std::size_t i = 8; i < 10; ++i) second[i] = 0;
  const PairedDifference result = paired_difference(of_n(1, first), of_n(1, second));
  EXPECT_TRUE(result.is_mcnemar);
  EXPECT_NEAR(result.p_value, 0.109375, 1e-12);
  EXPECT_NEAR(result.mean, 0.15, 1e-12);
  EXPECT_NEAR(result.low, -0.005763438218674116, 1e-9);
  EXPECT_NEAR(result.high, 0.2914777239329598, 1e-9);
}

TEST(paired, equal_systems_still_have_an_interval) {
  const PairedDifference result = paired_difference(of_n(1, std::vector<std::size_t>(30, 1)),  //
                                                    of_n(1, std::vector<std::size_t>(30, 1)));
  EXPECT_EQ(result.mean, 0);
  EXPECT_EQ(result.p_value, 1);
  EXPECT_NEAR(result.low, -0.06124887451687669, 1e-9);
  EXPECT_NEAR(result.high, 0.06124887451687669, 1e-9);
}

}  // namespace
}  // namespace specthink
