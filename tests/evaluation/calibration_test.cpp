#include "specthink/evaluation/calibration.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace specthink {
namespace {

ScheduleSettings of(Policy policy) {
  ScheduleSettings settings;
  settings.policy = policy;
  return settings;
}

TEST(calibration, halves_towards_a_share_that_falls_with_the_entropy) {
  const auto share_at = [](double entropy) { return std::exp(-entropy); };
  const Calibration found = calibrate(of(Policy::token_entropy), 0.3, share_at);
  EXPECT_NEAR(found.best.target_share, 0.3, 0.005);
  EXPECT_NEAR(found.best.value, -std::log(0.3), 0.02);
  EXPECT_LE(found.tries.size(), 10u);
}

TEST(calibration, halves_towards_a_share_that_rises_with_the_rate) {
  const Calibration found = calibrate(of(Policy::random), 0.2, [](double rate) { return rate / 2; });
  EXPECT_NEAR(found.best.value, 0.4, 0.01);
}

TEST(calibration, tries_each_whole_score_once) {
  std::vector<double> tried;
  const auto share_at = [&](double score) {
    tried.push_back(score);
    return score >= 8 ? 0.6 : 0.1;
  };
  const Calibration found = calibrate(of(Policy::score), 0.5, share_at);
  EXPECT_EQ(found.best.value, 8);
  EXPECT_EQ(found.best.target_share, 0.6);
  std::vector<double> once = tried;
  std::sort(once.begin(), once.end());
  EXPECT_EQ(std::unique(once.begin(), once.end()), once.end());
  for (const double score : tried) EXPECT_EQ(score, std::floor(score));
}

TEST(calibration, keeps_the_nearest_of_what_can_be_had) {
  const Calibration found = calibrate(of(Policy::random), 0.9, [](double rate) { return 0.3 * rate; });
  EXPECT_NEAR(found.best.target_share, 0.3, 0.001);
  EXPECT_EQ(found.tries.size(), 10u);
}

TEST(calibration, is_of_policies_with_a_threshold_or_rate) {
  EXPECT_EQ(calibrated_key(Policy::relay), nullptr);
  EXPECT_STREQ(calibrated_key(Policy::score), "score_threshold");
  ScheduleSettings settings = of(Policy::step_entropy);
  set_calibrated(settings, 0.7);
  EXPECT_EQ(settings.entropy_threshold, 0.7);
  settings = of(Policy::random);
  set_calibrated(settings, 0.25);
  EXPECT_EQ(settings.target_rate->probability, 0.25);
}

}  // namespace
}  // namespace specthink
