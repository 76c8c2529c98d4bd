// Template source to tokens, with Jinja's rules for white space (trim_blocks and lstrip_blocks are on, the last line
// break of the source is dropped).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace specthink::jinja {

enum class TokenType {
  kText,  // between tags
  kBlockBegin,
  kBlockEnd,
  kVariableBegin,
  kVariableEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenType type = TokenType::kEnd;
  int line = 1;
  std::string text;  // a string's value, otherwise as in the source
  std::int64_t integer = 0;
  double real = 0;

  bool is(TokenType wanted, std::string_view wanted_text) const { return type == wanted && text == wanted_text; }
  bool is_name(std::string_view name) const { return is(TokenType::kName, name); }
  bool is_operator(std::string_view symbol) const { return is(TokenType::kOperator, symbol); }
};

/// How errors name a token.
std::string describe(const Token& token);

/// The last token is kEnd. Throws TemplateError with the line.
std::vector<Token> tokenize(std::string_view source);

}  // namespace specthink::jinja
