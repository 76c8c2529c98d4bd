#include "specthink/evaluation/calibration.h"

#include <cmath>

#include "specthink/base/error.h"

namespace specthink::inline evaluation {
namespace {

constexpr double kMostEntropy = 8;  // nats; a draft that is less sure than this knows nothing

struct Range {
  double low = 0;
  double high = 0;
  bool rises = true;      // the share, with the value
  bool is_whole = false;  // only whole numbers differ
};

Range range_of(const ScheduleSettings& settings) {
  switch (settings.policy) {
    case Policy::score:
      return {0, 10, true, settings.score_method == ScoreMethod::greedy};
    case Policy::step_entropy:
    case Policy::token_entropy:
      return {0, kMostEntropy, false, false};
    default:
      return {0, 1, true, false};
  }
}

}  // namespace

const char* calibrated_key(Policy policy) {
  switch (policy) {
    case Policy::score:
      return "score_threshold";
    case Policy::step_entropy:
    case Policy::token_entropy:
      return "entropy_threshold";
    case Policy::random:
      return "target_rate";
    default:
      return nullptr;
  }
}

void set_calibrated(ScheduleSettings& settings, double value) {
  switch (settings.policy) {
    case Policy::score:
      settings.score_threshold = value;
      return;
    case Policy::step_entropy:
    case Policy::token_entropy:
      settings.entropy_threshold = value;
      return;
    case Policy::random:
      settings.target_rate = TargetRate{.probability = value};
      return;
    default:
      throw InternalError("a policy without a threshold or rate");
  }
}

Calibration calibrate(const ScheduleSettings& settings, double wanted_share,
                      const std::function<double(double value)>& share_at, double tolerance, int max_tries) {
  Range range = range_of(settings);
  Calibration calibration;
  const auto distance = [&](const CalibrationTry& made) { return std::abs(made.target_share - wanted_share); };
  for (int i = 0; i < max_tries; ++i) {
    double value = (range.low + range.high) / 2;
    if (range.is_whole) {
      value = std::floor(value);
      if (value < range.low || value > range.high) break;
    }
    const CalibrationTry made{value, share_at(value)};
    calibration.tries.push_back(made);
    if (i == 0 || distance(made) < distance(calibration.best)) calibration.best = made;
    if (distance(made) <= tolerance) break;
    const double step = range.is_whole ? 1 : 0;
    if ((made.target_share < wanted_share) == range.rises) {
      range.low = value + step;
    } else {
      range.high = value - step;
    }
  }
  return calibration;
}

}  // namespace specthink::inline evaluation
