// What both halves of the parser share: the tokens, where they are, and expressions as statements need them.
#pragma once

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/ast.h"
#include "jinja/lexer.h"
#include "specthink/jinja/error.h"

namespace specthink::jinja {

class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[position_]; }
  const Token& following() const { return tokens_[std::min(position_ + 1, tokens_.size() - 1)]; }
  int line() const { return current().line; }

  /// The current token, which is passed. The end is never passed.
  const Token& next() {
    const Token& token = tokens_[position_];
    if (position_ + 1 < tokens_.size()) ++position_;
    return token;
  }

  /// Passes the current token if it is this name or operator.
  bool skip(std::string_view text) {
    const bool matches = current().is(text);
    if (matches) next();
    return matches;
  }

  const Token& expect(TokenType type, std::string_view what) {
    if (current().type != type) fail_at(line(), "expected {}, found {}", what, describe(current()));
    return next();
  }
  void expect(std::string_view text) {
    if (!skip(text)) fail_at(line(), "expected '{}', found {}", text, describe(current()));
  }

  std::vector<TemplateError> refusals;  ///< in this tag: what cannot be used, and would be reached
  int conditions = 0;                   ///< around the current place: each may keep it from being reached
  MacroVariables seen;                  ///< in the macro that is parsed
  int recursions = 0;                   ///< of the parser

 private:
  std::vector<Token> tokens_;
  std::size_t position_ = 0;
};

/// Counts a level of something while it lives. Throws TemplateError when there are too many.
class Level {
 public:
  Level(const TokenStream& stream, int& count) : count_(count) {
    constexpr int kMaxDepth = 100;
    if (++count_ > kMaxDepth) fail_at(stream.line(), "nested deeper than {} levels", kMaxDepth);
  }
  ~Level() { --count_; }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;

 private:
  int& count_;
};

ExpressionPtr parse_expression(TokenStream& stream);

/// An expression, or several with commas between them as a tuple. `ternary`: whether `x if y` may be one of them; it
/// may not where an `if` has another meaning.
ExpressionPtr parse_tuple(TokenStream& stream, bool ternary);

/// name(arguments)|name...: the filters of a block. None when the stream is at no name.
std::vector<PostfixStep> parse_filters(TokenStream& stream);

}  // namespace specthink::jinja
