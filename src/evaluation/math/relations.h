// Equations, inequalities and names before values.
#pragma once

#include <optional>

#include "evaluation/math/scalar.h"
#include "evaluation/math/syntax/node.h"

namespace specthink::inline evaluation {

/// The value that an answer states: behind `x =`, `x \in` and names; the end of `a = b`, the exact side of `a \approx
/// b`. Null for an equation or inequality that states none.
std::optional<Node> stated_value(const Node& node);

/// The name before a value, with which parts of a list are told apart; empty: none.
std::string name_before(const Node& node);

/// True for `x = ...`, `f(x) = ...` and the like, where the name does not count.
bool has_simple_name(const Node& node);

/// An inequality of one variable between constants as the interval that it describes.
std::optional<Node> as_interval(const Node& node);

/// Equality of two relations, rearranged or not.
Same same_relation(const Node& given, const Node& known);

}  // namespace specthink::inline evaluation
