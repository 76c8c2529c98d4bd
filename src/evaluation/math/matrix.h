// Matrices and vectors.
#pragma once

#include "evaluation/math/scalar.h"
#include "evaluation/math/syntax/node.h"

namespace specthink::inline evaluation {

/// True for a matrix and for an expression with one in it.
bool has_matrix(const Node& node);

/// Entry by entry; a factor before a matrix is multiplied in.
Same same_matrix(const Node& given, const Node& known);

}  // namespace specthink::inline evaluation
