// Figures over the runs of a benchmark.
#pragma once

#include <cstddef>
#include <span>

namespace specthink::inline evaluation {

struct Statistics {
  double mean = 0;
  double std = 0;  ///< of the population (divided by n), as the original's result files have it
  double min = 0;
  double max = 0;
  double median = 0;  ///< for an even count, the mean of the two in the middle
};

/// All zero without values.
Statistics summarize(std::span<const double> values);

/// A 95 % confidence interval.
struct Interval {
  double low = 0;
  double high = 1;
};

/// The Wilson score interval (E. B. Wilson, JASA 22, 1927) of a share that was seen in `trials` independent trials;
/// their number need not be whole. Never of width 0. Without trials nothing is known: [0, 1].
Interval wilson_interval(double share, double trials);

/// The standard error of the mean of independent values; 0 for fewer than two.
double standard_error(std::span<const double> values);

/// Student's interval of the mean of independent values. Of fewer than two the spread is not known: [mean, mean].
Interval mean_interval(std::span<const double> values);

}  // namespace specthink::inline evaluation
