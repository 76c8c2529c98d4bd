// Python format strings, as the original's task files have them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "evaluation/tasks/prompt_template.h"

namespace specthink::inline evaluation {

/// `{name}` is a field, `{{` and `}}` are braces. Throws UserError that begins with `source` for anything else with a
/// brace: `{}`, `{0}`, a format behind a colon, a lone brace.
std::vector<PromptPiece> parse_format_string(std::string_view text, std::string_view source);

/// Puts in what `value_of` gives for each field.
std::string fill_in(const std::vector<PromptPiece>& pieces,
                    const std::function<std::string(const std::string&)>& value_of);

}  // namespace specthink::inline evaluation
