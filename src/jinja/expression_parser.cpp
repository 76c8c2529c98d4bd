// Expressions, from the ternary down to literals.
#include <algorithm>
#include <optional>

#include "jinja/parser.h"

namespace specthink::jinja {
namespace {

template <typename Node>
ExpressionPtr make(int line, Node node) {
  return std::make_unique<const Expression>(Expression{line, std::move(node)});
}

struct BinaryOperator {
  std::string_view symbol;
  python::Operator op;
  int level;  // the higher, the closer it binds
};
constexpr BinaryOperator kBinaryOperators[] = {
    {"+", python::Operator::kAdd, 0},      {"-", python::Operator::kSubtract, 0},
    {"*", python::Operator::kMultiply, 1}, {"//", python::Operator::kFloorDivide, 1},
    {"/", python::Operator::kDivide, 1},   {"%", python::Operator::kModulo, 1},
    {"**", python::Operator::kPower, 2},
};
constexpr int kBinaryLevels = 3;

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& stream) : stream_(stream) {}

  ExpressionPtr parse_tuple(bool ternary) {
    const int line = stream_.line();
    const auto at_end = [&] {
      const TokenType type = stream_.current().type;
      return type == TokenType::kVariableEnd || type == TokenType::kBlockEnd || stream_.current().is_operator(")");
    };
    ExpressionPtr first = ternary ? parse_ternary() : parse_logical();
    if (!stream_.current().is_operator(",")) return first;
    SequenceDisplay tuple{SequenceType::kTuple, {}};
    tuple.items.push_back(std::move(first));
    while (stream_.skip_operator(",") && !at_end()) tuple.items.push_back(ternary ? parse_ternary() : parse_logical());
    return make(line, std::move(tuple));
  }

  ExpressionPtr parse_ternary() {
    const Level level(stream_, stream_.recursions);
    const int line = stream_.line();
    const std::size_t refusals = stream_.refusals.size();
    ExpressionPtr value = parse_logical();
    constexpr int kMaxChain = 20;  // of `a if b if c`, each level a level of the tree
    for (int i = 0; stream_.skip_name("if"); ++i) {
      if (i == kMaxChain) fail_at(stream_.line(), "more than {} 'if' in a row", kMaxChain);
      ExpressionPtr condition = parse_logical();
      ExpressionPtr otherwise = stream_.skip_name("else") ? parse_ternary() : nullptr;
      value = make(line, Conditional{std::move(condition), std::move(value), std::move(otherwise)});
      stream_.refusals.erase(stream_.refusals.begin() + static_cast<std::ptrdiff_t>(refusals), stream_.refusals.end());
    }
    return value;
  }

  std::vector<PostfixStep> parse_filters() {
    std::vector<PostfixStep> filters;
    while (stream_.current().type == TokenType::kName || stream_.current().is_operator("|")) {
      if (!filters.empty()) stream_.expect_operator("|");
      filters.push_back(parse_filter());
    }
    return filters;
  }

 private:
  // `or`, whose operands are those of `and`.
  ExpressionPtr parse_logical(bool is_and = false) {
    const int line = stream_.line();
    Expressions operands;
    do {
      operands.push_back(is_and ? parse_not() : parse_logical(true));
    } while (stream_.skip_name(is_and ? "and" : "or"));
    if (operands.size() == 1) return std::move(operands[0]);
    return make(line, Logical{is_and, std::move(operands)});
  }

  ExpressionPtr parse_not() {
    const Level level(stream_, stream_.recursions);
    const int line = stream_.line();
    if (!stream_.skip_name("not")) return parse_comparison();
    return make(line, Unary{UnaryOp::kNot, parse_not()});
  }

  std::optional<CompareOp> skip_comparison() {
    constexpr std::pair<std::string_view, CompareOp> kOperators[] = {
        {"==", CompareOp::kEqual},  {"!=", CompareOp::kNotEqual},    {"<", CompareOp::kLess},
        {">", CompareOp::kGreater}, {"<=", CompareOp::kLessOrEqual}, {">=", CompareOp::kGreaterOrEqual}};
    for (const auto& [symbol, op] : kOperators) {
      if (stream_.skip_operator(symbol)) return op;
    }
    if (stream_.skip_name("in")) return CompareOp::kIn;
    if (!stream_.current().is_name("not") || !stream_.following().is_name("in")) return std::nullopt;
    stream_.next();
    stream_.next();
    return CompareOp::kNotIn;
  }

  ExpressionPtr parse_comparison() {
    const int line = stream_.line();
    Comparison comparison{parse_arithmetic(0), {}};
    while (const auto op = skip_comparison()) comparison.rest.emplace_back(*op, parse_arithmetic(0));
    if (comparison.rest.empty()) return std::move(comparison.first);
    return make(line, std::move(comparison));
  }

  ExpressionPtr parse_arithmetic(int level) {
    if (level == kBinaryLevels) return parse_unary(true);
    const auto parse_operand = [&] { return level == 0 ? parse_concatenation() : parse_arithmetic(level + 1); };
    const auto is_next = [&](const BinaryOperator& binary) {
      return binary.level == level && stream_.skip_operator(binary.symbol);
    };
    const int line = stream_.line();
    Arithmetic chain{parse_operand(), {}};
    while (true) {
      const auto found = std::ranges::find_if(kBinaryOperators, is_next);
      if (found == std::end(kBinaryOperators)) break;
      chain.rest.emplace_back(found->op, parse_operand());
    }
    if (chain.rest.empty()) return std::move(chain.first);
    return make(line, std::move(chain));
  }

  ExpressionPtr parse_concatenation() {
    const int line = stream_.line();
    Expressions operands;
    do {
      operands.push_back(parse_arithmetic(1));
    } while (stream_.skip_operator("~"));
    return operands.size() == 1 ? std::move(operands[0]) : make(line, Concatenation{std::move(operands)});
  }

  ExpressionPtr parse_unary(bool with_filters) {
    const Level level(stream_, stream_.recursions);
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
    while (std::optional<PostfixStep> step = parse_subscript_or_call()) steps.push_back(std::move(*step));
    while (std::optional<PostfixStep> step = with_filters ? parse_filter_or_test() : std::nullopt) {
      steps.push_back(std::move(*step));
    }
    return steps.empty() ? std::move(base) : make(line, Postfix{std::move(base), std::move(steps)});
  }

  ExpressionPtr parse_primary() {
    const Token& token = stream_.current();
    const int line = token.line;
    if (token.type == TokenType::kName) return parse_name();
    if (token.type == TokenType::kInteger) return make(line, Literal{stream_.next().integer});
    if (token.type == TokenType::kFloat) return make(line, Literal{stream_.next().real});
    if (token.type == TokenType::kString) {
      std::string text;
      while (stream_.current().type == TokenType::kString) text += stream_.next().text;  // adjacent ones are joined
      return make(line, Literal{std::move(text)});
    }
    if (stream_.skip_operator("(")) {
      if (stream_.skip_operator(")")) return make(line, SequenceDisplay{SequenceType::kTuple, {}});
      ExpressionPtr inner = parse_tuple(true);
      stream_.expect_operator(")");
      return inner;
    }
    if (stream_.skip_operator("[")) {
      SequenceDisplay list{SequenceType::kList, {}};
      parse_items("]", [&] { list.items.push_back(parse_ternary()); });
      return make(line, std::move(list));
    }
    if (stream_.skip_operator("{")) {
      DictDisplay dict;
      parse_items("}", [&] {
        ExpressionPtr key = parse_ternary();
        stream_.expect_operator(":");
        dict.entries.emplace_back(std::move(key), parse_ternary());
      });
      return make(line, std::move(dict));
    }
    fail_at(line, "expected an expression, found {}", describe(token));
  }

  // Items with commas between them, and the closing bracket. A comma at the end does no harm.
  template <typename ParseItem>
  void parse_items(std::string_view close, ParseItem parse_item) {
    while (!stream_.skip_operator(close)) {
      parse_item();
      if (stream_.skip_operator(close)) return;
      stream_.expect_operator(",");
    }
  }

  ExpressionPtr parse_name() {
    const Token& token = stream_.next();
    const int line = token.line;
    const std::string& name = token.text;
    if (name == "true" || name == "True") return make(line, Literal{true});
    if (name == "false" || name == "False") return make(line, Literal{false});
    if (name == "none" || name == "None") return make(line, Literal());
    stream_.seen.caller |= name == "caller";
    stream_.seen.kwargs |= name == "kwargs";
    stream_.seen.varargs |= name == "varargs";
    return make(line, Name{name});
  }

  std::optional<PostfixStep> parse_subscript_or_call() {
    const int line = stream_.line();
    if (stream_.skip_operator(".")) {
      if (stream_.current().type == TokenType::kInteger) {
        return PostfixStep{line, GetItem{make(line, Literal{stream_.next().integer})}};
      }
      return PostfixStep{line, GetAttribute{stream_.expect(TokenType::kName, "a name after '.'").text}};
    }
    if (stream_.skip_operator("[")) return parse_subscript(line);
    if (stream_.skip_operator("(")) return PostfixStep{line, Call{parse_arguments()}};
    return std::nullopt;
  }

  std::optional<PostfixStep> parse_filter_or_test() {
    const int line = stream_.line();
    if (stream_.skip_operator("|")) return parse_filter();
    if (stream_.skip_name("is")) return parse_test(line);
    if (stream_.skip_operator("(")) return PostfixStep{line, Call{parse_arguments()}};
    return std::nullopt;
  }

  PostfixStep parse_subscript(int line) {
    const auto bound = [&]() -> ExpressionPtr {
      const Token& token = stream_.current();
      const bool is_left_out = token.is_operator("]") || token.is_operator(",") || token.is_operator(":");
      return is_left_out ? nullptr : parse_ternary();
    };
    PostfixStep step{line, {}};
    ExpressionPtr first = bound();
    if (stream_.skip_operator(":")) {
      GetSlice slice{std::move(first), bound(), nullptr};
      if (stream_.skip_operator(":")) slice.step = bound();
      step.step = std::move(slice);
    } else {
      if (first == nullptr) fail_at(line, "expected an index, found {}", describe(stream_.current()));
      step.step = GetItem{std::move(first)};
    }
    if (stream_.current().is_operator(",")) fail_at(line, "an index of several parts is not supported");
    stream_.expect_operator("]");
    return step;
  }

  // The name of a filter or test, and what it stands for. One that cannot be used is an error of the template, unless a
  // condition may keep it from being reached, as in the reference.
  Apply parse_function(std::string_view kind, const Function* (*find)(std::string_view)) {
    const int line = stream_.line();
    std::string name = stream_.expect(TokenType::kName, "a name").text;
    while (stream_.skip_operator(".")) name += "." + stream_.expect(TokenType::kName, "a name").text;
    Apply apply;
    apply.function = find(name);
    apply.refusal = refusal(kind, name, apply.function);
    if (!apply.refusal.empty() && stream_.conditions == 0) stream_.refusals.emplace_back(line, apply.refusal);
    return apply;
  }

  PostfixStep parse_filter() {
    const int line = stream_.line();
    Apply filter = parse_function("filter", find_filter);
    if (stream_.skip_operator("(")) filter.arguments = parse_arguments();
    return {line, std::move(filter)};
  }

  PostfixStep parse_test(int line) {
    const bool negated = stream_.skip_name("not");
    Apply test = parse_function("test", find_test);
    test.is_test = true;
    test.negated = negated;
    const Token& token = stream_.current();
    const bool is_keyword = token.is_name("else") || token.is_name("or") || token.is_name("and");
    const bool is_literal = token.type == TokenType::kString || token.type == TokenType::kInteger ||
                            token.type == TokenType::kFloat || token.is_operator("[") || token.is_operator("{");
    if (stream_.skip_operator("(")) {
      test.arguments = parse_arguments();
    } else if (token.is_name("is")) {
      fail_at(line, "tests cannot be chained with 'is'");
    } else if (is_literal || (token.type == TokenType::kName && !is_keyword)) {  // one argument without parentheses
      test.arguments.positional.push_back(parse_unary(false));
    }
    return {line, std::move(test)};
  }

  ArgumentList parse_arguments() {
    ArgumentList arguments;
    parse_items(")", [&] {
      const Token& token = stream_.current();
      const bool is_last = arguments.unpacked_named != nullptr;
      if (is_last) fail_at(token.line, "an argument follows one with '**'");
      if (stream_.skip_operator("**")) {
        arguments.unpacked_named = parse_ternary();
      } else if (stream_.current().is_operator("*") && arguments.unpacked == nullptr) {
        stream_.next();
        arguments.unpacked = parse_ternary();
      } else if (token.type == TokenType::kName && stream_.following().is_operator("=")) {
        std::string name = stream_.next().text;
        stream_.next();
        arguments.named.emplace_back(std::move(name), parse_ternary());
      } else {
        if (!arguments.named.empty() || arguments.unpacked != nullptr)
          fail_at(token.line, "an argument without a name follows one with a name");
        arguments.positional.push_back(parse_ternary());
      }
    });
    return arguments;
  }

  TokenStream& stream_;
};

}  // namespace

ExpressionPtr parse_expression(TokenStream& stream) { return ExpressionParser(stream).parse_ternary(); }
std::vector<PostfixStep> parse_filters(TokenStream& stream) { return ExpressionParser(stream).parse_filters(); }
ExpressionPtr parse_tuple(TokenStream& stream, bool ternary) { return ExpressionParser(stream).parse_tuple(ternary); }

}  // namespace specthink::jinja
