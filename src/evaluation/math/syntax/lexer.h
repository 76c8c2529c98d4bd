// The tokens of an answer in LaTeX or plain text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace specthink::inline evaluation {

enum class TokenKind : std::uint8_t {
  number,     // digits, thousands separators taken out; perhaps a point and an exponent (1.5e-3)
  letter,     // a variable of one letter
  text,       // words, of a text command or plain
  command,    // a LaTeX command without its backslash, or a plain name that means one (sqrt, pi)
  separator,  // `,` `;` or "and", "or"
  sign,       // any other character that counts
  end,
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;
  bool after_space = false;  ///< of any kind
};

/// How `1,234` reads outside of brackets.
enum class Comma : std::uint8_t { groups_thousands, separates };

/// Null for what is longer than any answer. Fonts, sizes, spacing commands, dollars and `\left`, `\right` are gone;
/// Unicode signs are the commands that they stand for.
std::optional<std::vector<Token>> tokenize_answer(std::string_view answer, Comma comma);

}  // namespace specthink::inline evaluation
