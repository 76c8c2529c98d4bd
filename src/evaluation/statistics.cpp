#include "specthink/evaluation/statistics.h"

#include <algorithm>
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

Proportion wilson(std::size_t successes, std::size_t n) {
  check(successes <= n, "there are no more successes than trials");
  if (n == 0) return {};
  constexpr double kZ = 1.959963984540054;  // the normal distribution's 97.5 % quantile
  const auto trials = static_cast<double>(n);
  const double share = static_cast<double>(successes) / trials;
  const double scale = 1 + kZ * kZ / trials;
  const double centre = (share + kZ * kZ / (2 * trials)) / scale;
  const double half_width = kZ * std::sqrt(share * (1 - share) / trials + kZ * kZ / (4 * trials * trials)) / scale;
  // Rounding must not leave the interval just short of a share of 0 or 1.
  const double low = successes == 0 ? 0 : std::max(0.0, centre - half_width);
  const double high = successes == n ? 1 : std::min(1.0, centre + half_width);
  return {share, low, high, n};
}

}  // namespace specthink::inline evaluation
