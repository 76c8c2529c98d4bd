// Values of expressions at points, to fifty digits.
#pragma once

#include <boost/multiprecision/cpp_bin_float.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "evaluation/math/syntax/node.h"

namespace specthink::inline evaluation {

using Real = boost::multiprecision::number<boost::multiprecision::cpp_bin_float<50>, boost::multiprecision::et_off>;

struct Complex {
  Real re = 0;
  Real im = 0;
};

/// Where variables stand.
struct Point {
  std::map<std::string, Real> values;
};

/// Null where the expression is undefined, holds what has no value (words, tuples), or reaches a size at which fifty
/// digits do not decide: a part beyond 10^25 could hide another.
std::optional<Complex> numeric_value(const Node& node, const Point& point);

/// The variables of an expression: symbols without those that are constants.
void collect_variables(const Node& node, std::set<std::string>& names);

/// What decides at which points an expression means the same as for its author.
struct Traits {
  bool has_imaginary = false;  ///< i occurs
  bool is_discrete = false;    ///< a factorial or binomial coefficient of a variable, or (-1)^n
};
void collect_traits(const Node& node, Traits& traits);

/// True for values that agree to so many digits that they are equal.
bool same_number(const Complex& a, const Complex& b);

}  // namespace specthink::inline evaluation
