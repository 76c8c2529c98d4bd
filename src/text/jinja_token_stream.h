// What both halves of the parser share: the tokens, and a limit on nesting.
#pragma once

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja_error.h"
#include "text/jinja_lexer.h"

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

  bool skip_name(std::string_view name) { return skip(current().is_name(name)); }
  bool skip_operator(std::string_view symbol) { return skip(current().is_operator(symbol)); }

  const Token& expect(TokenType type, std::string_view what) {
    if (current().type != type) fail_at(line(), "expected {}, found {}", what, describe(current()));
    return next();
  }
  void expect_operator(std::string_view symbol) {
    if (!skip_operator(symbol)) fail_at(line(), "expected '{}', found {}", symbol, describe(current()));
  }

 private:
  friend class NestingGuard;

  bool skip(bool matches) {
    if (matches) next();
    return matches;
  }

  std::vector<Token> tokens_;
  std::size_t position_ = 0;
  int depth_ = 0;
};

/// Counts levels of recursion while it lives.
class NestingGuard {
 public:
  explicit NestingGuard(TokenStream& stream) : stream_(stream) {
    constexpr int kMaxDepth = 100;
    if (++stream_.depth_ > kMaxDepth) fail_at(stream_.line(), "nested deeper than {} levels", kMaxDepth);
  }
  ~NestingGuard() { --stream_.depth_; }
  NestingGuard(const NestingGuard&) = delete;
  NestingGuard& operator=(const NestingGuard&) = delete;

 private:
  TokenStream& stream_;
};

}  // namespace specthink::jinja
