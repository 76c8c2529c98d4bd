#include "evaluation/tasks/prompt_template.h"

#include <cstddef>

#include "evaluation/letters.h"

namespace specthink::inline evaluation {
namespace {

bool is_name_start(char c) { return is_letter(c) || c == '_'; }
bool is_name_part(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

// Length of `{identifier}` at the start of `text`, or of `{}` when `may_be_empty`; 0 when it starts otherwise.
std::size_t placeholder_length(std::string_view text, bool may_be_empty) {
  if (!text.starts_with('{')) return 0;
  std::size_t end = 1;
  while (end < text.size() && (end == 1 ? is_name_start(text[end]) : is_name_part(text[end]))) ++end;
  if (end == text.size() || text[end] != '}') return 0;
  return end > 1 || may_be_empty ? end + 1 : 0;
}

// Length of a LaTeX command with the groups right behind it that look like placeholders but are its arguments.
std::size_t command_length(std::string_view text) {
  if (!text.starts_with('\\')) return 0;
  std::size_t end = 1;
  while (end < text.size() && is_letter(text[end])) ++end;
  if (end == 1) return 0;
  while (const std::size_t argument = placeholder_length(text.substr(end), false)) end += argument;
  return end;
}

}  // namespace

std::vector<PromptPiece> parse_template(std::string_view text) {
  std::vector<PromptPiece> pieces;
  const auto add_literal = [&](std::string_view literal) {
    if (pieces.empty() || pieces.back().is_field) pieces.push_back({false, ""});
    pieces.back().text += literal;
  };
  while (!text.empty()) {
    std::size_t length = 1;
    if (const std::size_t command = command_length(text)) {
      length = command;
      add_literal(text.substr(0, length));
    } else if (const std::size_t inner = text.starts_with("{{") ? placeholder_length(text.substr(1), true) : 0;
               inner > 0 && text.substr(1 + inner).starts_with('}')) {
      length = inner + 2;
      add_literal(text.substr(1, inner));
    } else if (const std::size_t field = placeholder_length(text, false)) {
      length = field;
      pieces.push_back({true, std::string(text.substr(1, field - 2))});
    } else {
      add_literal(text.substr(0, 1));
    }
    text.remove_prefix(length);
  }
  return pieces;
}

}  // namespace specthink::inline evaluation
