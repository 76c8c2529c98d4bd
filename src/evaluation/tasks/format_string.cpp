#include "evaluation/tasks/format_string.h"

#include <algorithm>
#include <cstddef>

#include "evaluation/letters.h"
#include "specthink/base/error.h"
#include "specthink/config/yaml.h"

namespace specthink::inline evaluation {

std::vector<PromptPiece> parse_format_string(std::string_view text, std::string_view source) {
  std::vector<PromptPiece> pieces;
  const auto add_literal = [&](std::string_view literal) {
    if (pieces.empty() || pieces.back().is_field) pieces.push_back({false, ""});
    pieces.back().text += literal;
  };
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '{' && text[i] != '}') {
      add_literal(text.substr(i++, 1));
    } else if (i + 1 < text.size() && text[i + 1] == text[i]) {
      add_literal(text.substr(i, 1));
      i += 2;
    } else {
      const std::size_t end = text[i] == '{' ? text.find('}', i) : std::string_view::npos;
      const std::string_view name = end == std::string_view::npos ? "" : text.substr(i + 1, end - i - 1);
      const bool is_name = !name.empty() && (is_letter(name[0]) || name[0] == '_') &&
                           std::all_of(name.begin(), name.end(),
                                       [](char c) { return is_letter(c) || c == '_' || (c >= '0' && c <= '9'); });
      if (!is_name) {
        throw UserError("{}: expected {{field}}, {{{{ or }}}} in a template, found {}", source,
                        quote(text.substr(i, 20)));
      }
      pieces.push_back({true, std::string(name)});
      i = end + 1;
    }
  }
  return pieces;
}

std::string fill_in(const std::vector<PromptPiece>& pieces,
                    const std::function<std::string(const std::string&)>& value_of) {
  std::string result;
  for (const PromptPiece& piece : pieces) result += piece.is_field ? value_of(piece.text) : piece.text;
  return result;
}

}  // namespace specthink::inline evaluation
