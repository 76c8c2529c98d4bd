#include "specthink/evaluation/statistics.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numeric>
#include <vector>

#include "specthink/base/error.h"

namespace specthink::inline evaluation {

Statistics summarize(std::span<const double> values) {
  if (values.empty()) return {};
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const auto n = static_cast<double>(sorted.size());
  const std::size_t middle = sorted.size() / 2;

  Statistics result;
  result.mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / n;
  const double squares = std::accumulate(sorted.begin(), sorted.end(), 0.0, [&](double sum, double value) {
    return sum + (value - result.mean) * (value - result.mean);
  });
  result.std = std::sqrt(squares / n);
  result.min = sorted.front();
  result.max = sorted.back();
  result.median = sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return result;
}

Interval wilson_interval(double share, double trials) {
  check(share >= 0 && share <= 1 && trials >= 0, "a share of trials lies between 0 and 1");
  if (trials == 0) return {};
  const double z = boost::math::quantile(boost::math::normal(), 0.975);
  const double scale = 1 + z * z / trials;
  const double centre = (share + z * z / (2 * trials)) / scale;
  const double half_width = z * std::sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale;
  // Rounding must not leave the interval just short of a share of 0 or 1.
  return {share == 0 ? 0 : std::max(0.0, centre - half_width), share == 1 ? 1 : std::min(1.0, centre + half_width)};
}

double standard_error(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const auto n = static_cast<double>(values.size());
  return summarize(values).std / std::sqrt(n - 1);
}

Interval mean_interval(std::span<const double> values) {
  const double mean = summarize(values).mean;
  if (values.size() < 2) return {mean, mean};
  const boost::math::students_t distribution(static_cast<double>(values.size() - 1));
  const double half_width = boost::math::quantile(distribution, 0.975) * standard_error(values);
  return {mean - half_width, mean + half_width};
}

}  // namespace specthink::inline evaluation
