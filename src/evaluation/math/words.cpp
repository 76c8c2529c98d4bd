#include "evaluation/math/words.h"

#include <algorithm>

#include "evaluation/letters.h"
#include "evaluation/math/syntax/names.h"
#include "specthink/base/lowercase.h"

namespace specthink::inline evaluation {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool is_around(char c) {
  return is_blank(c) || c == '.' || c == ',' || c == ':' || c == ';' || c == '!' || c == '\'' || c == '"' || c == '*';
}

std::string_view strip(std::string_view text) {
  while (!text.empty() && is_around(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_around(text.back())) text.remove_suffix(1);
  return text;
}

bool has_text_command(std::string_view answer) {
  for (std::size_t at = answer.find('\\'); at != std::string_view::npos; at = answer.find('\\', at + 1)) {
    std::size_t end = at + 1;
    while (end < answer.size() && is_letter(answer[end])) ++end;
    const std::string_view name = answer.substr(at + 1, end - at - 1);
    if (is_text_command(name) || is_font_command(name)) return true;
  }
  return false;
}

}  // namespace

std::string visible_text(std::string_view answer) {
  std::string result;
  for (std::size_t i = 0; i < answer.size(); ++i) {
    const char c = answer[i];
    if (c == '\\') {
      std::size_t end = i + 1;
      while (end < answer.size() && is_letter(answer[end])) ++end;
      const std::string_view name = answer.substr(i + 1, end - i - 1);
      if (name.empty()) {
        if (end < answer.size() &&
            (answer[end] == '(' || answer[end] == ')' || answer[end] == '[' || answer[end] == ']')) {
          ++i;
        } else {
          result += ' ';
          ++i;
        }
      } else if (is_text_command(name) || is_font_command(name) || is_layout_command(name)) {
        i = end - 1;
      } else if (is_space_command(name)) {
        result += ' ';
        i = end - 1;
      } else {
        result += c;
      }
    } else if (is_blank(c) || c == '~') {
      if (!result.empty() && result.back() != ' ') result += ' ';
    } else if (c != '{' && c != '}' && c != '$' && c != '`' && c != '"') {
      result += c;
    }
  }
  return std::string(strip(result));
}

std::optional<std::string> words_of(std::string_view answer) {
  const std::string text = visible_text(answer);
  std::size_t longest = 0;
  std::size_t length = 0;
  for (const char c : text) {
    const bool is_word_part = is_letter(c) || static_cast<unsigned char>(c) >= 0x80;
    if (!is_word_part && c != ' ' && c != '-' && c != '\'') return std::nullopt;
    length = is_word_part ? length + 1 : 0;
    longest = std::max(longest, length);
  }
  // Three plain letters may be a product; with a capital alone in front they are none.
  const bool is_name = text.size() == 3 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[2] >= 'a';
  const bool is_prose = longest >= (has_text_command(answer) ? 2u : 4u) || is_name;
  if (!is_prose || !command_of_word(text).empty()) return std::nullopt;
  return lowercase(text);
}

std::optional<char> option_letter(std::string_view answer) {
  const std::string text = visible_text(answer);
  std::string_view rest = text;
  const bool is_bracketed = rest.starts_with('(');
  if (is_bracketed) rest.remove_prefix(1);
  if (rest.empty() || rest[0] < 'A' || rest[0] > 'Z') return std::nullopt;
  const char letter = rest[0];
  rest.remove_prefix(1);
  if (is_bracketed && !rest.starts_with(')')) return std::nullopt;
  if (is_bracketed) rest.remove_prefix(1);
  if (rest.empty() || (is_bracketed && rest[0] == ' ')) return letter;
  return rest[0] == ')' || rest[0] == '.' || rest[0] == ':' ? std::optional<char>(letter) : std::nullopt;
}

bool is_option(std::string_view answer) {
  const auto letter = option_letter(answer);
  if (!letter) return false;
  const std::string text = visible_text(answer);
  return (text.size() == 1 && has_text_command(answer)) || text == std::string("(") + *letter + ")";
}

}  // namespace specthink::inline evaluation
