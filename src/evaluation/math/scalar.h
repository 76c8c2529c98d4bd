// Equality of two values without structure.
#pragma once

#include <cstdint>

#include "evaluation/math/syntax/node.h"

namespace specthink::inline evaluation {

enum class Same : std::uint8_t { no, yes, unknown };

inline Same same_if(bool condition) { return condition ? Same::yes : Same::no; }

/// Both hold, or either does.
Same both(Same a, Same b);

/// Whether two expressions are equal: exactly where both are rational, else to more digits than two answers can share
/// by accident at several points. A given decimal of six digits or more stands for the exact value that it rounds, a
/// known decimal of four digits or more for every value that rounds to it.
Same same_scalar(const Node& given, const Node& known);

/// Whether `given` is `known` times a constant other than zero (positive where `keeps_sign`), at every point.
Same proportional(const Node& given, const Node& known, bool keeps_sign);

}  // namespace specthink::inline evaluation
