// How often a system is right: samples of several problems, where those of one problem are not independent.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "specthink/evaluation/statistics.h"

namespace specthink::inline evaluation {

/// The samples of one problem, by their answers.
struct ProblemSamples {
  std::size_t right = 0;           ///< samples with the right answer
  std::vector<std::size_t> wrong;  ///< samples of each wrong answer, one number a class of equal answers
  std::size_t silent = 0;          ///< samples without an answer

  std::size_t count() const;
  double share() const { return static_cast<double>(right) / static_cast<double>(count()); }
};

/// A mean over problems and how well it is known.
struct Proportion {
  double mean = 0;
  double low = 0;  ///< 95 % confidence interval
  double high = 1;
  std::size_t n = 0;         ///< samples
  std::size_t problems = 0;  ///< each counts alike, however many samples it has
  double standard_error = 0;
  double effective_n = 0;  ///< independent samples that would say as much
};

/// The mean of one value in [0, 1] a problem, from `samples` samples in all, `k` of which make one observation. The
/// standard error is clustered by problem (E. Miller, arXiv 2411.00640): that of the problems' values. The interval is
/// Wilson's with the effective sample size mean (1 - mean) / standard_error^2, no less than the number of problems and
/// no more than that of observations. With many problems it is mean +- 1.96 standard errors; with few of them, or near
/// 0 and 1, it stays honest (arXiv 2503.01747).
Proportion mean_over_problems(std::span<const double> values, std::size_t samples, std::size_t k = 1);

/// pass@1: the mean over problems of the share of right samples. Every problem has a sample.
Proportion accuracy(std::span<const ProblemSamples> problems);

/// The probability that one of `k` samples drawn from `n`, `right` of them right, is right (M. Chen, arXiv 2107.03374,
/// unbiased). k is at most n.
double pass_at_k(std::size_t n, std::size_t right, std::size_t k);

/// The probability that the answer that most of `k` drawn samples agree on is right. Among answers with equally many
/// samples one is taken at random; samples without an answer have no say. Takes time of the order n k^2 log k.
double maj_at_k(const ProblemSamples& problem, std::size_t k);

/// 1, ..., n/4, n/2, n: the k for which pass@k and maj@k are told, ascending.
std::vector<std::size_t> k_values(std::size_t n);

struct ProportionAtK {
  std::size_t k = 0;
  Proportion pass;
  Proportion majority;
};

/// For each of k_values() of the smallest number of samples that a problem has.
std::vector<ProportionAtK> accuracy_at_k(std::span<const ProblemSamples> problems);

}  // namespace specthink::inline evaluation
