// Finds the setting of a policy at which the target writes a wanted share of the text. Pure logic.
#pragma once

#include <functional>
#include <vector>

#include "specthink/config/settings.h"

namespace specthink::inline evaluation {

struct CalibrationTry {
  double value = 0;         ///< of the setting
  double target_share = 0;  ///< what came out with it
};

struct Calibration {
  std::vector<CalibrationTry> tries;  ///< in order
  CalibrationTry best;                ///< of them, the share that is nearest to the wanted one
};

/// The setting that decides a policy's share: entropy_threshold, score_threshold or target_rate; null: it has none.
const char* calibrated_key(Policy policy);

/// Puts a value there.
void set_calibrated(ScheduleSettings& settings, double value);

/// Halves the range of the setting until the share is within `tolerance` of the wanted one, `max_tries` are made, or no
/// other value can make a difference. The share of entropy_threshold falls with it, the others' rise.
Calibration calibrate(const ScheduleSettings& settings, double wanted_share,
                      const std::function<double(double value)>& share_at, double tolerance = 0.005,
                      int max_tries = 10);

}  // namespace specthink::inline evaluation
