#include "specthink/evaluation/accuracy.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "specthink/base/error.h"

namespace specthink::inline evaluation {
namespace {

// C(n, k); of a thousand samples it leaves the range of double.
long double binomial(std::size_t n, std::size_t k) {
  if (k > n) return 0;
  long double result = 1;
  for (std::size_t i = 1; i <= k; ++i) {
    result *= static_cast<long double>(n - k + i);
    result /= static_cast<long double>(i);
  }
  return result;
}

// Ways to draw samples of the other answers: by how many are drawn, and by how many answers have `level` of them.
using Ways = std::vector<std::vector<long double>>;  // [drawn][ties]

// Adds an answer with `size` samples, of which at most `level` may be drawn.
Ways add_answer(const Ways& ways, std::size_t size, std::size_t level, std::size_t k) {
  Ways result(ways.size(), std::vector<long double>(ways[0].size() + 1, 0));
  for (std::size_t drawn = 0; drawn < ways.size(); ++drawn) {
    for (std::size_t more = 0; more <= std::min({size, level, k - drawn}); ++more) {
      const long double choices = binomial(size, more);
      for (std::size_t ties = 0; ties < ways[0].size(); ++ties) {
        result[drawn + more][ties + (more == level)] += choices * ways[drawn][ties];
      }
    }
  }
  const std::size_t max_ties = k / level;
  if (result[0].size() > max_ties + 1) {
    for (auto& by_ties : result) by_ties.resize(max_ties + 1);
  }
  return result;
}

}  // namespace

std::size_t ProblemSamples::count() const { return std::accumulate(wrong.begin(), wrong.end(), right + silent); }

Proportion mean_over_problems(std::span<const double> values, std::size_t samples, std::size_t k) {
  Proportion result;
  result.n = samples;
  result.problems = values.size();
  if (values.empty()) return result;
  const auto problems = static_cast<double>(values.size());
  // The sum of shares such as 1/3 may miss 1 by rounding.
  result.mean = std::clamp(std::accumulate(values.begin(), values.end(), 0.0) / problems, 0.0, 1.0);
  result.standard_error = standard_error(values);
  const double variance = result.standard_error * result.standard_error;
  const double most = std::max(static_cast<double>(samples) / static_cast<double>(k), problems);
  result.effective_n = variance > 0 ? std::clamp(result.mean * (1 - result.mean) / variance, problems, most) : problems;
  const Interval interval = wilson_interval(result.mean, result.effective_n);
  result.low = interval.low;
  result.high = interval.high;
  return result;
}

Proportion accuracy(std::span<const ProblemSamples> problems) {
  std::vector<double> shares;
  std::size_t samples = 0;
  for (const ProblemSamples& problem : problems) {
    check(problem.count() > 0, "a problem that counts has a sample");
    shares.push_back(problem.share());
    samples += problem.count();
  }
  return mean_over_problems(shares, samples);
}

double pass_at_k(std::size_t n, std::size_t right, std::size_t k) {
  check(right <= n && k >= 1 && k <= n, "k samples are drawn from n");
  double none_right = 1;
  for (std::size_t i = 0; i < k; ++i) {
    if (right + i >= n) return 1;
    none_right *= static_cast<double>(n - right - i) / static_cast<double>(n - i);
  }
  return 1 - none_right;
}

double maj_at_k(const ProblemSamples& problem, std::size_t k) {
  const std::size_t n = problem.count();
  check(k >= 1 && k <= n, "k samples are drawn from n");
  long double favourable = 0;
  for (std::size_t level = 1; level <= std::min(problem.right, k); ++level) {
    Ways ways(k + 1, std::vector<long double>(1, 0));
    for (std::size_t drawn = 0; drawn <= std::min(k, problem.silent); ++drawn) {
      ways[drawn][0] = binomial(problem.silent, drawn);
    }
    for (const std::size_t size : problem.wrong) ways = add_answer(ways, size, level, k);
    const std::vector<long double>& by_ties = ways[k - level];
    for (std::size_t ties = 0; ties < by_ties.size(); ++ties) {
      favourable += binomial(problem.right, level) * by_ties[ties] / static_cast<long double>(ties + 1);
    }
  }
  return static_cast<double>(favourable / binomial(n, k));
}

std::vector<std::size_t> k_values(std::size_t n) {
  std::vector<std::size_t> values;
  for (std::size_t k = n; k >= 1; k /= 2) values.push_back(k);
  std::reverse(values.begin(), values.end());
  return values;
}

std::vector<ProportionAtK> accuracy_at_k(std::span<const ProblemSamples> problems) {
  if (problems.empty()) return {};
  std::size_t least = problems[0].count();
  std::size_t samples = 0;
  for (const ProblemSamples& problem : problems) {
    least = std::min(least, problem.count());
    samples += problem.count();
  }
  std::vector<ProportionAtK> result;
  for (const std::size_t k : k_values(least)) {
    std::vector<double> pass;
    std::vector<double> majority;
    for (const ProblemSamples& problem : problems) {
      pass.push_back(pass_at_k(problem.count(), problem.right, k));
      majority.push_back(maj_at_k(problem, k));
    }
    result.push_back({k, mean_over_problems(pass, samples, k), mean_over_problems(majority, samples, k)});
  }
  return result;
}

}  // namespace specthink::inline evaluation
