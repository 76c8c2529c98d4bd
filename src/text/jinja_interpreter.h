// Runs a parsed template.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "text/jinja_ast.h"

namespace specthink::jinja {

using Variables = std::vector<std::pair<std::string, Value>>;

/// The output of `block` with these variables. Throws TemplateError with the line.
std::string render(const Block& block, const Variables& variables);

}  // namespace specthink::jinja
