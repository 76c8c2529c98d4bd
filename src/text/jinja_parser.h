// Tokens to a template, by the grammar of Jinja.
#pragma once

#include <string_view>

#include "text/jinja_ast.h"

namespace specthink::jinja {

/// Throws TemplateError with the line for malformed templates and for what is not supported.
Block parse_template(std::string_view source);

}  // namespace specthink::jinja
