#include "specthink/evaluation/paired.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "specthink/base/error.h"

namespace specthink::inline evaluation {
namespace {

constexpr std::int64_t kMaxUnits = std::int64_t{1} << 20;  // of the sum of all differences
constexpr std::int64_t kMaxDenominator = 5040;

// The smallest denominator with which all values are whole numbers of units, or 0.
std::int64_t common_denominator(std::span<const double> values) {
  const auto fits = [&](std::int64_t denominator) {
    return std::all_of(values.begin(), values.end(), [&](double value) {
      const double units = value * static_cast<double>(denominator);
      return std::abs(units - std::round(units)) < 1e-9 * static_cast<double>(denominator);
    });
  };
  for (std::int64_t denominator = 1; denominator <= kMaxDenominator; ++denominator) {
    if (fits(denominator)) return denominator;
  }
  return 0;
}

// |values| in units of which there are at most kMaxUnits, zeros left out.
std::vector<std::int64_t> in_units(std::span<const double> values) {
  double total = 0;
  for (const double value : values) total += std::abs(value);
  const std::int64_t denominator = common_denominator(values);
  double scale = static_cast<double>(denominator);
  if (denominator == 0 || total * scale > static_cast<double>(kMaxUnits))
    scale = static_cast<double>(kMaxUnits) / total;
  std::vector<std::int64_t> units;
  for (const double value : values) {
    const auto unit = static_cast<std::int64_t>(std::llround(std::abs(value) * scale));
    if (unit > 0) units.push_back(std::signbit(value) ? -unit : unit);
  }
  return units;
}

// The interval of Agresti and Min: a problem of each outcome (both right, both wrong, one of them) counts a half more.
Interval adjusted_interval(std::span<const double> differences) {
  const double n = static_cast<double>(differences.size()) + 2;
  double sum = 0;
  double squares = 1;
  for (const double difference : differences) {
    sum += difference;
    squares += difference * difference;
  }
  const double mean = sum / n;
  const double z = boost::math::quantile(boost::math::normal(), 0.975);
  const double half_width = z * std::sqrt(std::max(0.0, squares / n - mean * mean) / n);
  return {mean - half_width, mean + half_width};
}

}  // namespace

double mcnemar_p(std::size_t wins, std::size_t losses) {
  const std::size_t n = wins + losses;
  if (n == 0) return 1;
  const boost::math::binomial distribution(static_cast<double>(n), 0.5);
  return std::min(1.0, 2 * boost::math::cdf(distribution, static_cast<double>(std::min(wins, losses))));
}

double sign_flip_p(std::span<const double> differences) {
  const std::vector<std::int64_t> units = in_units(differences);
  const std::int64_t observed = std::abs(std::accumulate(units.begin(), units.end(), std::int64_t{0}));
  std::int64_t total = 0;
  for (const std::int64_t unit : units) total += std::abs(unit);
  // probability[i]: that the sum is i - total.
  std::vector<double> probability(static_cast<std::size_t>(2 * total + 1), 0);
  probability[static_cast<std::size_t>(total)] = 1;
  std::int64_t reached = 0;
  for (const std::int64_t unit : units) {
    const std::int64_t step = std::abs(unit);
    std::vector<double> next(probability.size(), 0);
    for (std::int64_t sum = -reached; sum <= reached; ++sum) {
      const double half = probability[static_cast<std::size_t>(sum + total)] / 2;
      next[static_cast<std::size_t>(sum + total + step)] += half;
      next[static_cast<std::size_t>(sum + total - step)] += half;
    }
    probability = std::move(next);
    reached += step;
  }
  double p = 0;
  for (std::int64_t sum = -total; sum <= total; ++sum) {
    if (std::abs(sum) >= observed) p += probability[static_cast<std::size_t>(sum + total)];
  }
  return std::min(1.0, p);
}

PairedDifference paired_difference(std::span<const ProblemSamples> first, std::span<const ProblemSamples> second) {
  check(first.size() == second.size(), "two systems are compared on the same problems");
  PairedDifference result;
  result.problems = first.size();
  if (first.empty()) return result;
  std::vector<double> differences;
  bool single = true;
  std::size_t wins = 0;
  std::size_t losses = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    differences.push_back(second[i].share() - first[i].share());
    single = single && first[i].count() == 1 && second[i].count() == 1;
    if (differences.back() > 0) ++wins;
    if (differences.back() < 0) ++losses;
  }
  result.mean = std::accumulate(differences.begin(), differences.end(), 0.0) / static_cast<double>(differences.size());
  result.standard_error = standard_error(differences);
  const bool has_spread = result.standard_error > 0 && !single;
  const Interval interval = has_spread ? mean_interval(differences) : adjusted_interval(differences);
  result.low = std::max(-1.0, std::min(interval.low, result.mean));
  result.high = std::min(1.0, std::max(interval.high, result.mean));
  result.is_mcnemar = single;
  result.p_value = single ? mcnemar_p(wins, losses) : sign_flip_p(differences);
  return result;
}

}  // namespace specthink::inline evaluation
