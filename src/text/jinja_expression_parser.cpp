#include "text/jinja_expression_parser.h"

#include <algorithm>
#include <optional>

namespace specthink::jinja {
namespace {

template <typename Node>
ExpressionPtr make(int line, Node node) {
  return std::make_unique<const Expression>(Expression{line, std::move(node)});
}

ExpressionPtr with_steps(int line, ExpressionPtr base, std::vector<PostfixStep> steps) {
  return steps.empty() ? std::move(base) : make(line, Postfix{std::move(base), std::move(steps)});
}

}  // namespace

ExpressionPtr ExpressionParser::parse() { return parse_ternary(); }

ExpressionPtr ExpressionParser::parse_tuple(bool ternary) {
  const int line = stream_.line();
  const auto at_end = [&] {
    const Token& token = stream_.current();
    return token.type == TokenType::kVariableEnd || token.type == TokenType::kBlockEnd || token.is_operator(")");
  };
  Expressions items;
  while (true) {
    if (!items.empty() && at_end()) break;  // a comma at the end
    items.push_back(ternary ? parse_ternary() : parse_or());
    if (!stream_.skip_operator(",")) {
      if (items.size() == 1) return std::move(items[0]);
      break;
    }
  }
  return make(line, SequenceDisplay{SequenceType::kTuple, std::move(items)});
}

ExpressionPtr ExpressionParser::parse_ternary() {
  const NestingGuard guard(stream_);
  const int line = stream_.line();
  ExpressionPtr value = parse_or();
  constexpr int kMaxChain = 20;  // of `a if b if c`, each level a level of the tree
  for (int i = 0; stream_.skip_name("if"); ++i) {
    if (i == kMaxChain) fail_at(stream_.line(), "more than {} 'if' in a row", kMaxChain);
    ExpressionPtr condition = parse_or();
    ExpressionPtr otherwise = stream_.skip_name("else") ? parse_ternary() : nullptr;
    value = make(line, Conditional{std::move(condition), std::move(value), std::move(otherwise)});
  }
  return value;
}

template <typename Next>
ExpressionPtr ExpressionParser::parse_logical(std::string_view keyword, Next next) {
  const int line = stream_.line();
  Expressions operands;
  do {
    operands.push_back((this->*next)());
  } while (stream_.skip_name(keyword));
  if (operands.size() == 1) return std::move(operands[0]);
  return make(line, Logical{keyword == "and", std::move(operands)});
}

ExpressionPtr ExpressionParser::parse_or() { return parse_logical("or", &ExpressionParser::parse_and); }
ExpressionPtr ExpressionParser::parse_and() { return parse_logical("and", &ExpressionParser::parse_not); }

ExpressionPtr ExpressionParser::parse_not() {
  const NestingGuard guard(stream_);
  const int line = stream_.line();
  if (!stream_.skip_name("not")) return parse_comparison();
  return make(line, Unary{UnaryOp::kNot, parse_not()});
}

ExpressionPtr ExpressionParser::parse_comparison() {
  constexpr std::pair<std::string_view, CompareOp> kOperators[] = {
      {"==", CompareOp::kEqual},  {"!=", CompareOp::kNotEqual},    {"<", CompareOp::kLess},
      {">", CompareOp::kGreater}, {"<=", CompareOp::kLessOrEqual}, {">=", CompareOp::kGreaterOrEqual}};
  const int line = stream_.line();
  Comparison comparison{parse_sum(), {}};
  while (true) {
    std::optional<CompareOp> op;
    for (const auto& [symbol, candidate] : kOperators) {
      if (stream_.skip_operator(symbol)) op = candidate;
      if (op) break;
    }
    if (!op && stream_.skip_name("in")) op = CompareOp::kIn;
    if (!op && stream_.current().is_name("not") && stream_.following().is_name("in")) {
      stream_.next();
      stream_.next();
      op = CompareOp::kNotIn;
    }
    if (!op) break;
    comparison.rest.emplace_back(*op, parse_sum());
  }
  if (comparison.rest.empty()) return std::move(comparison.first);
  return make(line, std::move(comparison));
}

template <typename Next>
ExpressionPtr ExpressionParser::parse_arithmetic(
    std::initializer_list<std::pair<std::string_view, ArithmeticOp>> operators, Next next) {
  const int line = stream_.line();
  Arithmetic chain{(this->*next)(), {}};
  while (true) {
    const auto found = std::find_if(operators.begin(), operators.end(),
                                    [&](const auto& entry) { return stream_.current().is_operator(entry.first); });
    if (found == operators.end()) break;
    stream_.next();
    chain.rest.emplace_back(found->second, (this->*next)());
  }
  if (chain.rest.empty()) return std::move(chain.first);
  return make(line, std::move(chain));
}

ExpressionPtr ExpressionParser::parse_sum() {
  return parse_arithmetic({{"+", ArithmeticOp::kAdd}, {"-", ArithmeticOp::kSubtract}},
                          &ExpressionParser::parse_concatenation);
}

ExpressionPtr ExpressionParser::parse_concatenation() {
  const int line = stream_.line();
  Expressions parts;
  do {
    parts.push_back(parse_product());
  } while (stream_.skip_operator("~"));
  if (parts.size() == 1) return std::move(parts[0]);
  return make(line, Concatenation{std::move(parts)});
}

ExpressionPtr ExpressionParser::parse_product() {
  return parse_arithmetic({{"*", ArithmeticOp::kMultiply},
                           {"/", ArithmeticOp::kDivide},
                           {"//", ArithmeticOp::kFloorDivide},
                           {"%", ArithmeticOp::kModulo}},
                          &ExpressionParser::parse_power);
}

ExpressionPtr ExpressionParser::parse_power() {  // from left to right, unlike Python's
  const int line = stream_.line();
  Arithmetic chain{parse_unary(true), {}};
  while (stream_.skip_operator("**")) chain.rest.emplace_back(ArithmeticOp::kPower, parse_unary(true));
  if (chain.rest.empty()) return std::move(chain.first);
  return make(line, std::move(chain));
}

ExpressionPtr ExpressionParser::parse_unary(bool with_filters) {
  const NestingGuard guard(stream_);
  const int line = stream_.line();
  ExpressionPtr base;
  if (stream_.skip_operator("-")) {
    base = make(line, Unary{UnaryOp::kMinus, parse_unary(false)});
  } else if (stream_.skip_operator("+")) {
    base = make(line, Unary{UnaryOp::kPlus, parse_unary(false)});
  } else {
    base = parse_primary();
  }
  std::vector<PostfixStep> steps;
  parse_postfix(steps);
  if (with_filters) parse_filters_and_tests(steps);
  return with_steps(line, std::move(base), std::move(steps));
}

ExpressionPtr ExpressionParser::parse_primary() {
  const Token& token = stream_.current();
  const int line = token.line;
  switch (token.type) {
    case TokenType::kName:
      return parse_name();
    case TokenType::kInteger:
      return make(line, Literal{stream_.next().integer});
    case TokenType::kFloat:
      return make(line, Literal{stream_.next().real});
    case TokenType::kString: {
      std::string text;
      while (stream_.current().type == TokenType::kString) text += stream_.next().text;  // adjacent ones are joined
      return make(line, Literal{Value(std::move(text))});
    }
    default:
      break;
  }
  if (stream_.skip_operator("(")) {
    if (stream_.skip_operator(")")) return make(line, SequenceDisplay{SequenceType::kTuple, {}});
    ExpressionPtr inner = parse_tuple(true);
    stream_.expect_operator(")");
    return inner;
  }
  if (token.is_operator("[")) return parse_list();
  if (token.is_operator("{")) return parse_dict();
  fail_at(line, "expected an expression, found {}", describe(token));
}

ExpressionPtr ExpressionParser::parse_name() {
  const Token& token = stream_.next();
  const std::string& name = token.text;
  if (name == "true" || name == "True") return make(token.line, Literal{true});
  if (name == "false" || name == "False") return make(token.line, Literal{false});
  if (name == "none" || name == "None") return make(token.line, Literal{Value()});
  if (in_macro_ && (name == "varargs" || name == "kwargs" || name == "caller")) {
    fail_at(token.line, "'{}' in a macro is not supported", name);
  }
  const Function* global = find_global(name);
  if (global != nullptr && global->call == nullptr && stream_.current().is_operator("(")) {
    fail_at(token.line, "the function '{}' is not supported", name);
  }
  return make(token.line, Name{name});
}

ExpressionPtr ExpressionParser::parse_list() {
  const int line = stream_.next().line;
  SequenceDisplay list{SequenceType::kList, {}};
  while (!stream_.skip_operator("]")) {
    if (!list.items.empty()) {
      stream_.expect_operator(",");
      if (stream_.skip_operator("]")) break;
    }
    list.items.push_back(parse_ternary());
  }
  return make(line, std::move(list));
}

ExpressionPtr ExpressionParser::parse_dict() {
  const int line = stream_.next().line;
  DictDisplay dict;
  while (!stream_.skip_operator("}")) {
    if (!dict.entries.empty()) {
      stream_.expect_operator(",");
      if (stream_.skip_operator("}")) break;
    }
    ExpressionPtr key = parse_ternary();
    stream_.expect_operator(":");
    dict.entries.emplace_back(std::move(key), parse_ternary());
  }
  return make(line, std::move(dict));
}

}  // namespace specthink::jinja
