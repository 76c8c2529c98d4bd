// Exact values of expressions without variables.
#pragma once

#include <optional>

#include "evaluation/math/syntax/node.h"

namespace specthink::inline evaluation {

/// The value of an expression of rational numbers; roots count where they come out even. Null for what is not rational,
/// undefined (a division by zero), or larger than an answer would be.
std::optional<Rational> exact_value(const Node& node);

/// The same where it is an integer of moderate size.
std::optional<int> small_integer(const Node& node);

/// A literal decimal: an optional sign, a number with a point, and an optional power of ten.
struct Decimal {
  Rational value;
  Rational unit;   ///< of its last digit
  int digits = 0;  ///< significant ones
};
std::optional<Decimal> decimal_literal(const Node& node);

}  // namespace specthink::inline evaluation
