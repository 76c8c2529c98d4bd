// Equality of answers with their structure.
#pragma once

#include <string_view>

#include "evaluation/math/scalar.h"
#include "evaluation/math/syntax/node.h"

namespace specthink::inline evaluation {

/// Whether two trees say the same; `known` is the right answer, which decides what is optional.
Same same_value(const Node& given, const Node& known);

/// Whether two answers say the same, as people write them. Unknown where neither could be shown.
Same compare_answers(std::string_view given, std::string_view known);

}  // namespace specthink::inline evaluation
