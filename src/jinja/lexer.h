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

  bool is_name(std::string_view name) const { return type == TokenType::kName && text == name; }
  bool is_operator(std::string_view symbol) const { return type == TokenType::kOperator && text == symbol; }
};

/// How errors name a token.
std::string describe(const Token& token);

/// The last token is kEnd. Throws TemplateError with the line.
std::vector<Token> tokenize(std::string_view source);

}  // namespace specthink::jinja
