// Lists, sets and unions, whose order is free.
#pragma once

#include "evaluation/math/scalar.h"
#include "evaluation/math/syntax/node.h"

namespace specthink::inline evaluation {

/// A list, set or union, or an expression with a plus-minus sign, which stands for two values.
bool is_collection(const Node& node);

/// Each value of one is in the other; parts with different names before them (a = 1, b = 2) are told apart by these.
Same same_collection(const Node& given, const Node& known);

}  // namespace specthink::inline evaluation
