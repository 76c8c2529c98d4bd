// Template source to tokens, with Jinja's rules for white space (trim_blocks and lstrip_blocks are on, the last line
// break of the source is dropped).
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "specthink/jinja/value.h"

namespace specthink::jinja {

enum class TokenType { kText, kName, kString, kNumber, kOperator, kEnd };

struct Token {
  TokenType type = TokenType::kEnd;
  int line = 1;
  std::string text;  // a string's value, otherwise as in the source; of an operator also "{{", "}}", "{%" or "%}"
  Value number;

  /// Whether it is this name or operator.
  bool is(std::string_view wanted) const {
    return (type == TokenType::kName || type == TokenType::kOperator) && text == wanted;
  }
  bool is_one_of(std::initializer_list<std::string_view> wanted) const {
    return std::ranges::any_of(wanted, [&](std::string_view one) { return is(one); });
  }
};

/// How errors name a token.
std::string describe(const Token& token);

/// The last token is kEnd. Throws TemplateError with the line.
std::vector<Token> tokenize(std::string_view source);

}  // namespace specthink::jinja
