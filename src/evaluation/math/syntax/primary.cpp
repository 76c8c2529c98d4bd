// Numbers, variables, brackets, sets, commands, functions and matrices.
#include <algorithm>
#include <optional>
#include <utility>

#include "evaluation/math/syntax/expression_parser.h"
#include "evaluation/math/syntax/names.h"
#include "evaluation/math/syntax/parser.h"

namespace specthink::inline evaluation {

Node Parser::parse_script() {
  if (is_sign("{")) return parse_group();
  if (take_sign("-")) return make_node(NodeKind::negate, {parse_script()});
  take_sign("+");
  if (is_sign("(")) return parse_brackets();
  if (peek().kind == TokenKind::number) return parse_number(tokens_[at_++].text);
  if (peek().kind == TokenKind::letter) return make_symbol(tokens_[at_++].text);
  return parse_primary();
}

Node Parser::parse_group() {
  expect_sign("{");
  const bool in_braces = std::exchange(in_braces_, false);
  const bool in_bars = std::exchange(in_bars_, false);
  Node node = parse_list();
  if (take_command("choose")) node = make_node(NodeKind::function, {std::move(node), parse_list()}, "binom");
  in_braces_ = in_braces;
  in_bars_ = in_bars;
  expect_sign("}");
  return node;
}

Node Parser::parse_primary() {
  const Level level(depth_);
  const Token& token = peek();
  switch (token.kind) {
    case TokenKind::number:
      ++at_;
      return parse_number(token.text);
    case TokenKind::letter:
      ++at_;
      return parse_symbol(token.text);
    case TokenKind::text:
      ++at_;
      return make_node(NodeKind::word, {}, token.text);
    case TokenKind::sign:
      if (token.text == "{") return parse_group();
      if (token.text == "(" || token.text == "[" || token.text == "]") return parse_brackets();
      if (token.text == "|") return parse_bars();
      throw ParseFailure();
    case TokenKind::command:
      ++at_;
      return parse_command(token.text);
    default:
      throw ParseFailure();
  }
}

Node Parser::parse_symbol(std::string name) {
  if (take_sign("_")) name += "_" + parse_index();
  while (take_sign("'")) name += "'";
  return make_symbol(std::move(name));
}

std::string Parser::parse_index() {
  if (!is_sign("{")) {
    if (peek().kind == TokenKind::end) throw ParseFailure();
    return tokens_[at_++].text;
  }
  std::string index;
  int depth = 0;
  do {
    if (peek().kind == TokenKind::end) throw ParseFailure();
    if (is_sign("{")) ++depth;
    if (is_sign("}")) --depth;
    if (!is_sign("{") && !is_sign("}")) index += peek().text;
    ++at_;
  } while (depth > 0);
  return index;
}

Node Parser::parse_brackets() {
  std::string brackets = tokens_[at_++].text;
  const bool in_braces = std::exchange(in_braces_, false);
  const bool in_bars = std::exchange(in_bars_, false);
  Node node = parse_list();
  in_braces_ = in_braces;
  in_bars_ = in_bars;
  if (!is_sign(")") && !is_sign("]") && !is_sign("[")) throw ParseFailure();
  brackets += tokens_[at_++].text;
  if (node.kind == NodeKind::list) {
    if (brackets == "]]") brackets = "(]";  // ]a, b[ is open
    if (brackets == "][") brackets = "()";
    if (brackets == "[[") brackets = "[)";
    node.kind = NodeKind::tuple;
    node.name = brackets;
    return node;
  }
  if (brackets != "()" && brackets != "[]") throw ParseFailure();
  return node;
}

Node Parser::parse_bars() {
  expect_sign("|");
  const bool in_bars = std::exchange(in_bars_, true);
  Node node = parse_list();
  in_bars_ = in_bars;
  expect_sign("|");
  return make_node(NodeKind::function, {std::move(node)}, "abs");
}

Node Parser::parse_set() {
  if (take_command("}")) return make_node(NodeKind::set, {});
  const bool in_braces = std::exchange(in_braces_, true);
  Node node = parse_list();
  if (take_sign("|")) node = parse_list();
  in_braces_ = in_braces;
  if (!take_command("}")) throw ParseFailure();
  if (node.kind == NodeKind::relation) return node;
  if (node.kind != NodeKind::list) return make_node(NodeKind::set, {std::move(node)});
  node.kind = NodeKind::set;
  return node;
}

Node Parser::parse_argument() {
  if (is_sign("{")) return parse_group();
  if (peek().kind == TokenKind::number) {
    const std::string& text = peek().text;
    Node digit = parse_number(text.substr(digit_, 1));
    if (++digit_ == text.size()) {
      ++at_;
      digit_ = 0;
    }
    return digit;
  }
  return parse_primary();
}

Node Parser::parse_fraction() {
  Node above = parse_argument();
  Node below = parse_argument();
  if (digit_ > 0) throw ParseFailure();  // \frac123 is a slip
  return make_node(NodeKind::divide, {std::move(above), std::move(below)});
}

Node Parser::parse_root() {
  if (take_sign("[")) {
    Node degree = parse_sum();
    expect_sign("]");
    Node radicand = parse_factor_of_root();
    return make_node(NodeKind::function, {std::move(radicand), std::move(degree)}, "root");
  }
  return make_node(NodeKind::function, {parse_factor_of_root(), make_integer(2)}, "root");
}

Node Parser::parse_factor_of_root() { return is_sign("{") ? parse_group() : parse_primary(); }

Node Parser::parse_command(const std::string& name) {
  if (name == "frac") return parse_fraction();
  if (name == "sqrt") return parse_root();
  if (name == "cbrt") {
    Node radicand = parse_factor_of_root();
    return make_node(NodeKind::function, {std::move(radicand), make_integer(3)}, "root");
  }
  if (name == "binom") {
    Node above = parse_argument();
    Node below = parse_argument();
    return make_node(NodeKind::function, {std::move(above), std::move(below)}, "binom");
  }
  if (name == "{") return parse_set();
  if (name == "emptyset") return make_node(NodeKind::set, {});
  if (name == "lfloor" || name == "lceil" || name == "langle") return parse_between(name);
  if (name.starts_with("begin{")) return parse_matrix(name.substr(6, name.size() - 7));
  if (is_function_name(name)) return parse_function(name);
  for (const char* accent : {"vec", "hat", "bar", "tilde", "dot", "ddot", "widehat", "mathbf"}) {
    if (name == accent) return make_symbol(name + "{" + parse_index() + "}");
  }
  if (is_operator_command(name)) throw ParseFailure();
  return parse_symbol(name);
}

Node Parser::parse_between(const std::string& open) {
  const std::string close = "r" + open.substr(1);
  Node node = parse_list();
  if (!take_command(close)) throw ParseFailure();
  if (open != "langle") return make_node(NodeKind::function, {std::move(node)}, open == "lfloor" ? "floor" : "ceil");
  if (node.kind != NodeKind::list) throw ParseFailure();
  node.kind = NodeKind::tuple;
  node.name = "<>";
  return node;
}

Node Parser::parse_function(const std::string& name) {
  std::vector<Node> arguments(1);
  if (take_sign("_")) arguments.push_back(parse_script());
  std::optional<Node> exponent;
  if (take_sign("^")) exponent = parse_script();
  if (is_sign("(") || is_sign("{")) {
    arguments[0] = parse_primary();
  } else {
    std::vector<Node> factors;
    do {
      factors.push_back(parse_power());
    } while (starts_factor() && peek().kind != TokenKind::text && !is_function_name(peek().text) && !is_sign("("));
    arguments[0] = factors.size() == 1 ? factors[0] : make_node(NodeKind::product, factors);
  }
  const bool is_inverse = exponent && exponent->kind == NodeKind::negate && exponent->children[0] == make_integer(1);
  Node node = make_node(NodeKind::function, std::move(arguments), is_inverse ? "arc" + name : name);
  if (!exponent || is_inverse) return node;
  return make_node(NodeKind::power, {std::move(node), std::move(*exponent)});
}

Node Parser::parse_matrix(const std::string& environment) {
  if (environment == "array") {
    if (is_sign("{")) parse_index();  // the columns
  } else if (environment.find("matrix") == std::string::npos) {
    throw ParseFailure();
  }
  std::vector<Node> rows;
  std::vector<Node> row;
  const std::string end = "end{" + environment + "}";
  while (!take_command(end)) {
    row.push_back(parse_sum());
    if (take_sign("&")) continue;
    const bool row_ends = take_command("\\");
    if (!row_ends && !is_command(end)) throw ParseFailure();
    rows.push_back(make_node(NodeKind::list, std::exchange(row, {})));
  }
  if (rows.empty()) throw ParseFailure();
  return make_node(NodeKind::matrix, std::move(rows), environment == "vmatrix" ? "vmatrix" : "");
}

}  // namespace specthink::inline evaluation
