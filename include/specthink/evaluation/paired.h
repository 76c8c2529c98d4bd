// Two systems on the same problems: is one right more often?
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "specthink/evaluation/accuracy.h"

namespace specthink::inline evaluation {

/// The mean over problems of (share of right samples of the second) - (that of the first).
struct PairedDifference {
  double mean = 0;
  double low = -1;  ///< 95 % confidence interval
  double high = 1;
  std::size_t problems = 0;
  double standard_error = 0;  ///< of the problems' differences
  double p_value = 1;         ///< two-sided, that the systems are right equally often
  bool is_mcnemar = false;    ///< the exact test of Q. McNemar; else signs are flipped
};

/// `first` and `second` list the same problems in the same order, each with a sample. The interval is Student's over
/// the problems' differences. With one sample a problem, or where all differences are the same, it is that of A.
/// Agresti and Y. Min (Statistics in Medicine 24, 2005), which has a width then, too. With one sample a problem the
/// p-value is McNemar's; else it is that of the permutation test that flips the sign of each problem's difference, over
/// all patterns of signs.
PairedDifference paired_difference(std::span<const ProblemSamples> first, std::span<const ProblemSamples> second);

/// Two-sided p-value of `wins` against `losses` under the binomial distribution with probability 1/2.
double mcnemar_p(std::size_t wins, std::size_t losses);

/// Two-sided p-value of sum(differences) when every sign is as likely as its opposite. Exact for differences that are
/// multiples of a common fraction, as shares of few samples are; others are rounded to a grid of `span / 2^20`.
double sign_flip_p(std::span<const double> differences);

}  // namespace specthink::inline evaluation
