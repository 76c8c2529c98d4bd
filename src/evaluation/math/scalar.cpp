#include "evaluation/math/scalar.h"

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "evaluation/math/exact.h"
#include "evaluation/math/numeric.h"

namespace specthink::inline evaluation {
namespace {

constexpr std::uint64_t kPositivePoints = 2;
constexpr std::uint64_t kPoints = 6;
constexpr int kExactDigits = 6;     // of a given decimal, from which on it stands for the value that it rounds
constexpr int kRoundedDigits = 4;   // of a known decimal, from which on it stands for what it was rounded from
constexpr int kCheckedDigits = 12;  // of a given decimal: what follows is the noise of floating point numbers
constexpr std::size_t kMaxVariables = 12;

struct Variables {
  std::vector<std::string> names;
  Traits traits;
};

Variables variables_of(const Node& given, const Node& known) {
  std::set<std::string> names;
  Variables result;
  for (const Node* node : {&given, &known}) {
    collect_variables(*node, names);
    collect_traits(*node, result.traits);
  }
  result.names.assign(names.begin(), names.end());
  return result;
}

// SplitMix64: no relation holds between draws that an answer could have by accident.
std::uint64_t draw(std::size_t variable, std::uint64_t point) {
  std::uint64_t mixed = (variable * 64 + point + 1) * 0x9E3779B97F4A7C15ull;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ull;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBull;
  return mixed ^ (mixed >> 31);
}

// The first points are positive, the others of any sign; whole numbers where only these have a meaning.
Point point_for(const Variables& variables, std::uint64_t number) {
  Point point;
  for (std::size_t i = 0; i < variables.names.size(); ++i) {
    const std::uint64_t random = draw(i, number);
    Real value;
    if (variables.traits.is_discrete) {
      value = static_cast<int>(4 + 3 * std::min<std::size_t>(i, 3) + number);
    } else {
      value = Real("0.75") + Real("0.6") * Real(random) / Real(std::uint64_t(-1));
      const bool is_negative = number >= kPositivePoints && ((random >> 7) % 2 == 1 || variables.names.size() == 1);
      if (is_negative) value = -value;
    }
    point.values[variables.names[i]] = value;
  }
  return point;
}

// Calls `compare` with both values at each point where they count. Where variables are taken as real, so are values: at
// points of other signs both must be real to be compared.
template <class Compare>
Same at_all_points(const Node& given, const Node& known, Compare compare) {
  const Variables variables = variables_of(given, known);
  if (variables.names.size() > kMaxVariables) return Same::unknown;
  const std::uint64_t points = variables.names.empty() ? 1 : kPoints;
  for (std::uint64_t number = 0; number < points; ++number) {
    const Point point = point_for(variables, number);
    const auto a = numeric_value(given, point);
    const auto b = a ? numeric_value(known, point) : std::nullopt;
    const bool is_needed = number < kPositivePoints || variables.traits.is_discrete;
    if (!b) {
      if (is_needed) return Same::unknown;
      continue;
    }
    const bool are_real = a->im == 0 && b->im == 0;
    if (!is_needed && !are_real && !variables.traits.has_imaginary) continue;
    if (!compare(*a, *b)) return Same::no;
  }
  return Same::yes;
}

// Rounded to its last digit, or cut off behind it.
bool is_decimal_of(const Rational& decimal, const Rational& value, const Rational& unit) {
  const Rational difference = abs(value - decimal);
  return difference <= unit / 2 || (difference < unit && abs(decimal) < abs(value));
}

// The rational value of a constant to 45 digits, exact where it is rational.
std::optional<Rational> constant(const Node& node) {
  if (const auto value = exact_value(node)) return value;
  const auto value = numeric_value(node, {});
  if (!value || value->im != 0) return std::nullopt;
  return Rational(value->re);
}

bool is_whole(const Rational& value) { return denominator(value) == 1; }

Same same_decimal(const Node& given, const Node& known) {
  const auto given_decimal = decimal_literal(given);
  const auto known_decimal = decimal_literal(known);
  if (!given_decimal && !known_decimal) return Same::no;
  const auto given_value = constant(given);
  const auto known_value = constant(known);
  if (!given_value || !known_value) return Same::no;
  if (known_decimal) {
    if (known_decimal->digits < kRoundedDigits) return Same::no;
    const bool is_coarse = given_decimal && given_decimal->unit > known_decimal->unit;
    return same_if(!is_coarse && abs(*given_value - *known_value) <= known_decimal->unit / 2);
  }
  if (given_decimal->digits < kExactDigits || is_whole(*known_value)) return Same::no;
  Rational unit = given_decimal->unit;
  for (int digits = given_decimal->digits; digits > kCheckedDigits; --digits) unit *= 10;
  return same_if(is_decimal_of(given_decimal->value, *known_value, unit));
}

}  // namespace

Same both(Same a, Same b) {
  if (a == Same::no || b == Same::no) return Same::no;
  return a == Same::yes && b == Same::yes ? Same::yes : Same::unknown;
}

Same same_scalar(const Node& given, const Node& known) {
  if (given == known) return Same::yes;
  const auto a = exact_value(given);
  const auto b = exact_value(known);
  if (a && b && *a == *b) return Same::yes;
  if (same_decimal(given, known) == Same::yes) return Same::yes;
  if (a && b) return Same::no;
  return at_all_points(given, known, same_number);
}

Same proportional(const Node& given, const Node& known, bool keeps_sign) {
  if (variables_of(given, known).names.empty()) return Same::unknown;  // all constants are proportional
  std::optional<Complex> first_given;
  std::optional<Complex> first_known;
  return at_all_points(given, known, [&](const Complex& a, const Complex& b) {
    if (!first_given) {
      first_given = a;
      first_known = b;
      if (a.im != 0 || b.im != 0) return false;
      if (keeps_sign && (a.re < 0) != (b.re < 0)) return false;
      return a.re != 0 && b.re != 0;
    }
    return same_number({a.re * first_known->re, a.im * first_known->re},
                       {b.re * first_given->re, b.im * first_given->re});
  });
}

}  // namespace specthink::inline evaluation
