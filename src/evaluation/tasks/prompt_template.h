// Templates of prompts: `{field}` among braces that belong to LaTeX.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace specthink::inline evaluation {

/// A template in pieces: literal text and the fields between.
struct PromptPiece {
  bool is_field = false;
  std::string text;  ///< literal text or the field's name
};

/// Splits by the rules of task.h.
std::vector<PromptPiece> parse_template(std::string_view text);

}  // namespace specthink::inline evaluation
