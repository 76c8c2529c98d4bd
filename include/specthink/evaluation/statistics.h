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

struct Proportion {
  double mean = 0;
  double low = 0;  ///< 95 % confidence interval
  double high = 1;
  std::size_t n = 0;
};

/// Share of `successes` in `n` trials with its Wilson score interval (E. B. Wilson, JASA 22, 1927). Without trials
/// nothing is known: the interval is [0, 1].
Proportion wilson(std::size_t successes, std::size_t n);

}  // namespace specthink::inline evaluation
