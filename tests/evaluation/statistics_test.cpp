#include "specthink/evaluation/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace specthink {
namespace {

TEST(statistics, of_nothing_is_zero) {
  const Statistics none = summarize({});
  EXPECT_EQ(none.mean, 0);
  EXPECT_EQ(none.std, 0);
  EXPECT_EQ(none.median, 0);
}

TEST(statistics, does_not_need_sorted_values) {
  const Statistics odd = summarize(std::vector<double>{9, 1, 2, 4, 4});
  EXPECT_DOUBLE_EQ(odd.mean, 4);
  EXPECT_DOUBLE_EQ(odd.std, std::sqrt((25 + 9 + 4) / 5.0));
  EXPECT_EQ(odd.min, 1);
  EXPECT_EQ(odd.max, 9);
  EXPECT_EQ(odd.median, 4);
  EXPECT_DOUBLE_EQ(summarize(std::vector<double>{9, 1, 2, 5}).median, 3.5);
  EXPECT_EQ(summarize(std::vector<double>{7}).std, 0);
}

// statsmodels: proportion_confint(successes, n, method="wilson").
TEST(statistics, wilson_interval) {
  struct Case {
    double successes, n;
    double low, high;
  };
  for (const Case& c : std::vector<Case>{{191, 200, 0.9167033, 0.9761475},
                                         {60, 200, 0.2407474, 0.3667907},
                                         {25, 25, 0.8668077, 1.0},
                                         {23, 25, 0.7503389, 0.9777796},
                                         {0, 10, 0.0, 0.2775328},
                                         {1, 1, 0.2065493, 1.0}}) {
    const Interval interval = wilson_interval(c.successes / c.n, c.n);
    EXPECT_NEAR(interval.low, c.low, 1e-6) << c.successes << " of " << c.n;
    EXPECT_NEAR(interval.high, c.high, 1e-6) << c.successes << " of " << c.n;
  }
  EXPECT_EQ(wilson_interval(0, 10).low, 0.0);
  EXPECT_EQ(wilson_interval(1, 10).high, 1.0);
  EXPECT_EQ(wilson_interval(0, 0).high, 1.0);
}

TEST(statistics, standard_error_divides_by_n_minus_1) {
  EXPECT_DOUBLE_EQ(standard_error(std::vector<double>{1, 2, 3, 4}), std::sqrt(5.0 / 3 / 4));
  EXPECT_EQ(standard_error(std::vector<double>{1}), 0);
}

// scipy: stats.t.interval(0.95, 4, loc=mean, scale=sem).
TEST(statistics, mean_interval_is_students) {
  const Interval interval = mean_interval(std::vector<double>{179.1, 341.4, 91.6, 849.6, 358.4});
  EXPECT_NEAR(interval.low, -0.4984025133959449, 1e-6);
  EXPECT_NEAR(interval.high, 728.5384025133959, 1e-6);
  EXPECT_EQ(mean_interval(std::vector<double>{3}).high, 3);
}

}  // namespace
}  // namespace specthink
