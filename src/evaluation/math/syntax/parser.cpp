#include "evaluation/math/syntax/parser.h"

#include <optional>
#include <utility>

#include "evaluation/math/syntax/expression_parser.h"
#include "evaluation/math/syntax/names.h"

namespace specthink::inline evaluation {

Node Parser::parse() {
  Node node = parse_list();
  if (peek().kind != TokenKind::end) throw ParseFailure();
  return node;
}

Node Parser::parse_list() {
  const Level level(depth_);
  std::vector<Node> items;
  std::string between;
  for (;;) {
    items.push_back(parse_relation());
    if (peek().kind == TokenKind::separator) {
      while (peek().kind == TokenKind::separator) ++at_;  // ", and"
      continue;
    }
    const bool amount_goes_on = peek().kind == TokenKind::number && at_ > 0 && tokens_[at_ - 1].kind == TokenKind::text;
    if (!amount_goes_on) break;
  }
  return items.size() == 1 ? std::move(items[0]) : make_node(NodeKind::list, std::move(items));
}

Node Parser::parse_relation() {
  Node left = parse_union();
  for (;;) {
    std::string op;
    for (const char* sign : {"=", "<", ">", ":"}) {
      if (is_sign(sign)) op = sign;
    }
    for (const char* command : {"le", "ge", "ne", "in", "approx", "equiv"}) {
      if (is_command(command)) op = command;
    }
    if (op.empty()) return left;
    ++at_;
    left = make_node(NodeKind::relation, {std::move(left), parse_union()}, op);
  }
}

Node Parser::parse_union() {
  std::vector<Node> parts{parse_sum()};
  while (take_command("cup")) parts.push_back(parse_sum());
  Node node = parts.size() == 1 ? std::move(parts[0]) : make_node(NodeKind::set_union, std::move(parts));
  for (const char* op : {"backslash", "cap"}) {
    if (take_command(op)) node = make_node(NodeKind::function, {std::move(node), parse_sum()}, op);
  }
  return node;
}

Node Parser::parse_sum() {
  const Level level(depth_);
  std::vector<Node> terms;
  for (bool first = true;; first = false) {
    if (take_sign("+")) {
      terms.push_back(parse_product());
    } else if (take_sign("-")) {
      terms.push_back(make_node(NodeKind::negate, {parse_product()}));
    } else if (is_command("pm") || is_command("mp")) {
      const char* sign = is_command("pm") ? "+" : "-";
      ++at_;
      terms.push_back(make_node(NodeKind::plus_minus, {parse_product()}, sign));
    } else if (first) {
      terms.push_back(parse_product());
    } else {
      break;
    }
  }
  return terms.size() == 1 ? std::move(terms[0]) : make_node(NodeKind::sum, std::move(terms));
}

Node Parser::parse_product() {
  const Level level(depth_);
  std::vector<Node> factors{parse_signed_factor()};
  const auto product = [&] { return factors.size() == 1 ? factors[0] : make_node(NodeKind::product, factors); };
  for (;;) {
    if (take_sign("*") || take_command("cdot") || take_command("times")) {
      factors.push_back(parse_signed_factor());
    } else if (take_sign("/") || take_command("div")) {
      Node above = product();
      factors = {make_node(NodeKind::divide, {std::move(above), parse_signed_factor()})};
    } else if (take_sign("%")) {
      factors = {make_node(NodeKind::percent, {product()})};
    } else if (is_mixed_number(factors.back())) {
      Node whole = std::move(factors.back());
      factors.back() = make_node(NodeKind::sum, {std::move(whole), parse_proper_fraction()});
    } else if (starts_factor()) {
      factors.push_back(parse_power());
    } else {
      return product();
    }
  }
}

Node Parser::parse_signed_factor() {
  if (take_sign("-")) return make_node(NodeKind::negate, {parse_power()});
  take_sign("+");
  return parse_power();
}

bool Parser::is_mixed_number(const Node& whole) const {
  if (!is_integer_literal(whole) || tokens_[at_ - 1].kind != TokenKind::number) return false;
  if (is_command("frac")) {
    const auto is_literal = [&](std::size_t i) { return peek(i).kind == TokenKind::number; };
    if (is_literal(1)) return true;
    return is_sign("{", 1) && is_literal(2) && is_sign("}", 3) &&
           (is_literal(4) || (is_sign("{", 4) && is_literal(5) && is_sign("}", 6)));
  }
  return peek().kind == TokenKind::number && peek().after_space && is_sign("/", 1) && peek(2).kind == TokenKind::number;
}

Node Parser::parse_proper_fraction() {
  if (is_command("frac")) return parse_primary();
  Node above = parse_number(peek().text);
  Node below = parse_number(peek(2).text);
  at_ += 3;
  return make_node(NodeKind::divide, {std::move(above), std::move(below)});
}

bool Parser::starts_factor() const {
  const Token& token = peek();
  switch (token.kind) {
    case TokenKind::letter:
    case TokenKind::text:
      return true;
    case TokenKind::sign:
      return token.text == "(" || token.text == "{" || (token.text == "|" && !in_bars_ && !in_braces_);
    case TokenKind::command:
      return !is_operator_command(token.text);
    default:
      return false;
  }
}

Node Parser::parse_power() {
  const Level level(depth_);
  Node base = parse_primary();
  for (;;) {
    if (take_sign("!")) {
      base = make_node(NodeKind::factorial, {std::move(base)});
    } else if (take_sign("^")) {
      base = make_node(NodeKind::power, {std::move(base), parse_script()});
    } else if (is_command("degree")) {
      ++at_;
      base = make_node(NodeKind::product, {std::move(base), make_node(NodeKind::word, {}, "degree")});
    } else if (base.kind == NodeKind::number && is_sign("_")) {
      ++at_;
      std::string digits = tokens_[at_ - 2].text;
      base = make_node(NodeKind::numeral, {parse_script()},
                       digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1)));
    } else {
      return base;
    }
  }
}

std::optional<Node> parse_tokens(const std::vector<Token>& tokens) {
  if (tokens.size() <= 1) return std::nullopt;
  try {
    return Parser(tokens).parse();
  } catch (const ParseFailure&) {
    return std::nullopt;
  }
}

std::optional<Node> parse_answer(std::string_view answer, Comma comma) {
  const auto tokens = tokenize_answer(answer, comma);
  return tokens ? parse_tokens(*tokens) : std::nullopt;
}

}  // namespace specthink::inline evaluation
