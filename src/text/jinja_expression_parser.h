// Expressions, from the ternary down to literals.
#pragma once

#include <string>
#include <vector>

#include "text/jinja_ast.h"
#include "text/jinja_token_stream.h"

namespace specthink::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& stream) : stream_(stream) {}

  ExpressionPtr parse();

  /// An expression, or several with commas between them as a tuple. `ternary`: whether `x if y` may be one of them; it
  /// may not where an `if` has another meaning.
  ExpressionPtr parse_tuple(bool ternary);

  /// |filter|filter(...), as in {% set x | trim %}.
  std::vector<PostfixStep> parse_filters();

  /// In a macro, where Jinja has variables that are not supported here.
  void set_in_macro(bool in_macro) { in_macro_ = in_macro; }

 private:
  ExpressionPtr parse_ternary();
  ExpressionPtr parse_or();
  ExpressionPtr parse_and();
  ExpressionPtr parse_not();
  ExpressionPtr parse_comparison();
  ExpressionPtr parse_sum();
  ExpressionPtr parse_concatenation();
  ExpressionPtr parse_product();
  ExpressionPtr parse_power();
  ExpressionPtr parse_unary(bool with_filters);
  ExpressionPtr parse_primary();
  ExpressionPtr parse_name();
  ExpressionPtr parse_list();
  ExpressionPtr parse_dict();
  void parse_postfix(std::vector<PostfixStep>& steps);
  void parse_filters_and_tests(std::vector<PostfixStep>& steps);
  PostfixStep parse_subscript();
  PostfixStep parse_filter();
  PostfixStep parse_test();
  std::string parse_function_name();
  ArgumentList parse_arguments();

  template <typename Next>
  ExpressionPtr parse_logical(std::string_view keyword, Next next);
  template <typename Next>
  ExpressionPtr parse_arithmetic(std::initializer_list<std::pair<std::string_view, ArithmeticOp>> operators, Next next);

  TokenStream& stream_;
  bool in_macro_ = false;
};

}  // namespace specthink::jinja
