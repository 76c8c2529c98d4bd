#include "evaluation/math/exact.h"

#include <cstdlib>

namespace specthink::inline evaluation {
namespace {

using Integer = boost::multiprecision::cpp_int;
using boost::multiprecision::denominator;
using boost::multiprecision::numerator;

constexpr unsigned kMaxBits = 20'000;  // of a value
constexpr int kMaxFactorial = 500;

unsigned bits_of(const Integer& value) { return value == 0 ? 1 : boost::multiprecision::msb(abs(value)) + 1; }
unsigned bits_of(const Rational& value) { return std::max(bits_of(numerator(value)), bits_of(denominator(value))); }

std::optional<int> as_small(const Rational& value) {
  if (denominator(value) != 1 || abs(numerator(value)) > 100'000) return std::nullopt;
  return static_cast<int>(numerator(value));
}

std::optional<Rational> integer_power(const Rational& base, int exponent) {
  const auto size = static_cast<unsigned>(std::abs(exponent));
  if (base == 0) return exponent > 0 ? std::optional<Rational>(0) : std::nullopt;
  if (bits_of(base) > 1 && static_cast<std::uint64_t>(bits_of(base)) * size > kMaxBits) return std::nullopt;
  const Integer above = pow(numerator(base), size);
  const Integer below = pow(denominator(base), size);
  return exponent >= 0 ? Rational(above, below) : Rational(below, above);
}

// The integer root of a whole number, when there is one. Newton's method from above.
std::optional<Integer> integer_root(const Integer& value, unsigned degree) {
  if (value < 2) return value;
  Integer root = Integer(1) << (bits_of(value) / degree + 1);
  for (;;) {
    const Integer next = ((degree - 1) * root + value / pow(root, degree - 1)) / degree;
    if (next >= root) break;
    root = next;
  }
  if (pow(root, degree) != value) return std::nullopt;
  return root;
}

std::optional<Rational> rational_root(const Rational& value, int degree) {
  if (degree < 1 || degree > 64) return std::nullopt;
  if (value < 0) {
    if (degree % 2 == 0) return std::nullopt;
    const auto root = rational_root(-value, degree);
    return root ? std::optional<Rational>(-*root) : std::nullopt;
  }
  const auto above = integer_root(numerator(value), static_cast<unsigned>(degree));
  const auto below = above ? integer_root(denominator(value), static_cast<unsigned>(degree)) : std::nullopt;
  if (!below) return std::nullopt;
  return Rational(*above, *below);
}

std::optional<Rational> power_value(const Rational& base, const Rational& exponent) {
  const auto times = as_small(Rational(numerator(exponent)));
  if (!times) {
    if (base == 1) return Rational(1);
    return std::nullopt;
  }
  const auto degree = as_small(Rational(denominator(exponent)));
  if (!degree) return std::nullopt;
  if (*degree == 1) return integer_power(base, *times);
  if (base < 0) return std::nullopt;  // a complex number
  const auto root = rational_root(base, *degree);
  return root ? integer_power(*root, *times) : std::nullopt;
}

Rational floor_of(const Rational& value) {
  Integer quotient = numerator(value) / denominator(value);
  if (value < 0 && Rational(quotient) != value) --quotient;
  return Rational(quotient);
}

std::optional<Rational> factorial_value(const Rational& value) {
  const auto n = as_small(value);
  if (!n || *n < 0 || *n > kMaxFactorial) return std::nullopt;
  Integer result = 1;
  for (int i = 2; i <= *n; ++i) result *= i;
  return Rational(result);
}

std::optional<Rational> binomial_value(const Rational& above, const Rational& below) {
  const auto n = as_small(above);
  const auto k = as_small(below);
  if (!n || !k || *n < 0 || *n > 2 * kMaxFactorial) return std::nullopt;
  if (*k < 0 || *k > *n) return Rational(0);
  Integer result = 1;
  for (int i = 1; i <= *k; ++i) result = result * (*n - *k + i) / i;
  return Rational(result);
}

std::optional<Rational> function_value(const Node& node) {
  const auto argument = exact_value(node.children[0]);
  if (!argument) return std::nullopt;
  if (node.name == "abs") return *argument < 0 ? -*argument : *argument;
  if (node.name == "floor") return floor_of(*argument);
  if (node.name == "ceil") return -floor_of(-*argument);
  if (node.children.size() < 2) return std::nullopt;
  const auto second = exact_value(node.children[1]);
  if (!second) return std::nullopt;
  if (node.name == "binom") return binomial_value(*argument, *second);
  if (node.name == "root") {
    const auto degree = as_small(*second);
    return degree ? rational_root(*argument, *degree) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<Rational> checked(std::optional<Rational> value) {
  return value && bits_of(*value) > kMaxBits ? std::nullopt : value;
}

}  // namespace

std::optional<Rational> exact_value(const Node& node) {
  const auto child = [&](std::size_t i) { return exact_value(node.children[i]); };
  switch (node.kind) {
    case NodeKind::number:
      return checked(node.value);
    case NodeKind::sum:
    case NodeKind::product: {
      Rational result = node.kind == NodeKind::sum ? 0 : 1;
      for (const Node& part : node.children) {
        const auto value = exact_value(part);
        if (!value) return std::nullopt;
        if (node.kind == NodeKind::sum) {
          result += *value;
        } else {
          result *= *value;
        }
        if (bits_of(result) > kMaxBits) return std::nullopt;
      }
      return result;
    }
    case NodeKind::divide: {
      const auto above = child(0);
      const auto below = above ? child(1) : std::nullopt;
      if (!below || *below == 0) return std::nullopt;
      return checked(*above / *below);
    }
    case NodeKind::negate: {
      const auto value = child(0);
      return value ? std::optional<Rational>(-*value) : std::nullopt;
    }
    case NodeKind::power: {
      const auto base = child(0);
      const auto exponent = base ? child(1) : std::nullopt;
      return exponent ? checked(power_value(*base, *exponent)) : std::nullopt;
    }
    case NodeKind::factorial: {
      const auto value = child(0);
      return value ? factorial_value(*value) : std::nullopt;
    }
    case NodeKind::function:
      return function_value(node);
    default:
      return std::nullopt;
  }
}

std::optional<int> small_integer(const Node& node) {
  const auto value = exact_value(node);
  return value ? as_small(*value) : std::nullopt;
}

std::optional<Decimal> decimal_literal(const Node& node) {
  if (node.kind == NodeKind::negate) {
    auto decimal = decimal_literal(node.children[0]);
    if (decimal) decimal->value = -decimal->value;
    return decimal;
  }
  if (node.kind == NodeKind::product && node.children.size() == 2) {
    const Node& power = node.children[1];
    const bool is_scale =
        power.kind == NodeKind::power && power.children[0].kind == NodeKind::number && power.children[0].value == 10;
    const auto exponent = is_scale ? small_integer(power.children[1]) : std::nullopt;
    auto decimal = exponent ? decimal_literal(node.children[0]) : std::nullopt;
    const auto scale = decimal ? integer_power(10, *exponent) : std::nullopt;
    if (!scale) return std::nullopt;
    decimal->value *= *scale;
    decimal->unit *= *scale;
    return decimal;
  }
  if (node.kind != NodeKind::number || !node.has_point) return std::nullopt;
  const auto unit = integer_power(10, -node.decimals);
  if (!unit) return std::nullopt;
  return Decimal{node.value, *unit, node.digits};
}

}  // namespace specthink::inline evaluation
