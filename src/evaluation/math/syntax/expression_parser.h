// A recursive descent over the tokens of an answer. parser.cpp has lists, relations, sums and products; primary.cpp
// what these consist of.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "evaluation/math/syntax/lexer.h"
#include "evaluation/math/syntax/node.h"

namespace specthink::inline evaluation {

struct ParseFailure {};

class Parser {
 public:
  explicit Parser(const std::vector<Token>& tokens) : tokens_(tokens) {}

  /// Throws ParseFailure.
  Node parse();

 private:
  static constexpr int kMaxDepth = 60;

  // Counts nesting, and fails where no answer would be.
  struct Level {
    explicit Level(int& depth) : depth(depth) {
      if (++depth > kMaxDepth) {
        --depth;
        throw ParseFailure();
      }
    }
    ~Level() { --depth; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    int& depth;
  };

  const Token& peek(std::size_t ahead = 0) const {
    return at_ + ahead < tokens_.size() ? tokens_[at_ + ahead] : tokens_.back();
  }
  bool is_sign(std::string_view text, std::size_t ahead = 0) const {
    return peek(ahead).kind == TokenKind::sign && peek(ahead).text == text;
  }
  bool is_command(std::string_view text, std::size_t ahead = 0) const {
    return peek(ahead).kind == TokenKind::command && peek(ahead).text == text;
  }
  bool take_sign(std::string_view text) { return is_sign(text) && ++at_; }
  bool take_command(std::string_view text) { return is_command(text) && ++at_; }
  void expect_sign(std::string_view text) {
    if (!take_sign(text)) throw ParseFailure();
  }

  // Values that commas or words separate; amounts in several units (1 hour 15 minutes) are such a list, too.
  Node parse_list();
  // `a = b`, `a < x \le b`, `x \in A`; a chain nests to the left.
  Node parse_relation();
  Node parse_union();
  Node parse_sum();
  Node parse_product();
  // `2 \cdot -3` and the like.
  Node parse_signed_factor();
  bool is_mixed_number(const Node& whole) const;
  Node parse_proper_fraction();
  // True where the next token is a factor without a sign before it.
  bool starts_factor() const;
  Node parse_power();
  // What stands behind ^ or _: a group, or one token with its sign.
  Node parse_script();
  Node parse_group();
  Node parse_primary();
  // A variable with its index and primes.
  Node parse_symbol(std::string name);
  std::string parse_index();
  // Round and square brackets: around an expression, or a tuple or interval.
  Node parse_brackets();
  Node parse_bars();
  // \{ ... \}; of { x | condition } the condition.
  Node parse_set();
  // An argument of \frac and the like: a group, or one digit or letter.
  Node parse_argument();
  Node parse_fraction();
  Node parse_root();
  // People write \sqrt12 and mean twelve.
  Node parse_factor_of_root();
  Node parse_command(const std::string& name);
  Node parse_between(const std::string& open);
  // \sin x, \sin^2 x, \log_2 8: the argument is a bracket, or what factors follow.
  Node parse_function(const std::string& name);
  Node parse_matrix(const std::string& environment);

  const std::vector<Token>& tokens_;
  std::size_t at_ = 0;
  std::size_t digit_ = 0;  // digits of the current number token that arguments have taken
  int depth_ = 0;
  bool in_bars_ = false;    // the next | closes
  bool in_braces_ = false;  // the next | begins the condition of a set
};

}  // namespace specthink::inline evaluation
