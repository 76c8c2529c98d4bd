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

template <typename Op>
using Symbol = std::pair<std::string_view, Op>;

// Operators by how close they bind, from the loosest on.
constexpr Symbol<LogicalOp> kOr[] = {{"or", LogicalOp::kOr}};
constexpr Symbol<LogicalOp> kAnd[] = {{"and", LogicalOp::kAnd}};
constexpr Symbol<CompareOp> kComparisons[] = {{"==", CompareOp::kEqual},  {"!=", CompareOp::kNotEqual},
                                              {"<", CompareOp::kLess},    {"<=", CompareOp::kLessOrEqual},
                                              {">", CompareOp::kGreater}, {">=", CompareOp::kGreaterOrEqual},
                                              {"in", CompareOp::kIn},     {"not in", CompareOp::kNotIn}};
constexpr Symbol<ArithmeticOp> kSums[] = {{"+", ArithmeticOp::kAdd}, {"-", ArithmeticOp::kSubtract}};
constexpr Symbol<TextOp> kConcatenations[] = {{"~", TextOp::kConcatenate}};
constexpr Symbol<ArithmeticOp> kProducts[] = {{"*", ArithmeticOp::kMultiply},
                                              {"/", ArithmeticOp::kDivide},
                                              {"//", ArithmeticOp::kFloorDivide},
                                              {"%", ArithmeticOp::kModulo}};
constexpr Symbol<ArithmeticOp> kPowers[] = {{"**", ArithmeticOp::kPower}};

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& stream) : stream_(stream) {}

  ExpressionPtr parse_tuple(bool ternary) {
    const int line = stream_.line();
    const auto at_end = [&] { return stream_.current().is_one_of({")", "}}", "%}"}); };
    ExpressionPtr first = ternary ? parse_ternary() : parse_or();
    if (!stream_.current().is(",")) return first;
    SequenceDisplay tuple{SequenceType::kTuple, {}};
    tuple.items.push_back(std::move(first));
    while (stream_.skip(",") && !at_end()) tuple.items.push_back(ternary ? parse_ternary() : parse_or());
    return make(line, std::move(tuple));
  }

  ExpressionPtr parse_ternary() {
    const Level level(stream_, stream_.recursions);
    const int line = stream_.line();
    const std::size_t refusals = stream_.refusals.size();
    ExpressionPtr value = parse_or();
    constexpr int kMaxChain = 20;  // of `a if b if c`, each level a level of the tree
    for (int i = 0; stream_.skip("if"); ++i) {
      if (i == kMaxChain) fail_at(stream_.line(), "more than {} 'if' in a row", kMaxChain);
      ExpressionPtr condition = parse_or();
      ExpressionPtr otherwise = stream_.skip("else") ? parse_ternary() : nullptr;
      value = make(line, Conditional{std::move(condition), std::move(value), std::move(otherwise)});
      stream_.refusals.erase(stream_.refusals.begin() + static_cast<std::ptrdiff_t>(refusals), stream_.refusals.end());
    }
    return value;
  }

  std::vector<PostfixStep> parse_filters() {
    std::vector<PostfixStep> filters;
    while (stream_.current().type == TokenType::kName || stream_.current().is("|")) {
      if (!filters.empty()) stream_.expect("|");
      filters.push_back(parse_filter());
    }
    return filters;
  }

 private:
  // Operands with these operators between them; one operand alone is what it is.
  template <typename Operators>
  ExpressionPtr parse_chain(const Operators& operators, ExpressionPtr (ExpressionParser::*parse_operand)()) {
    const int line = stream_.line();
    const auto is_next = [&](const auto& entry) {
      return entry.first == "not in" ? skip_not_in() : stream_.skip(entry.first);
    };
    Chain<std::remove_cvref_t<decltype(operators[0].second)>> chain{(this->*parse_operand)(), {}};
    while (true) {
      const auto found = std::ranges::find_if(operators, is_next);
      if (found == std::end(operators)) break;
      chain.rest.emplace_back(found->second, (this->*parse_operand)());
    }
    return chain.rest.empty() ? std::move(chain.first) : make(line, std::move(chain));
  }

  bool skip_not_in() {
    return stream_.current().is("not") && stream_.following().is("in") && stream_.skip("not") && stream_.skip("in");
  }

  ExpressionPtr parse_or() { return parse_chain(kOr, &ExpressionParser::parse_and); }
  ExpressionPtr parse_and() { return parse_chain(kAnd, &ExpressionParser::parse_not); }
  ExpressionPtr parse_comparison() { return parse_chain(kComparisons, &ExpressionParser::parse_sum); }
  ExpressionPtr parse_sum() { return parse_chain(kSums, &ExpressionParser::parse_concatenation); }
  ExpressionPtr parse_concatenation() { return parse_chain(kConcatenations, &ExpressionParser::parse_product); }
  ExpressionPtr parse_product() { return parse_chain(kProducts, &ExpressionParser::parse_power); }
  ExpressionPtr parse_power() { return parse_chain(kPowers, &ExpressionParser::parse_filtered); }
  ExpressionPtr parse_filtered() { return parse_unary(true); }

  ExpressionPtr parse_not() {
    const Level level(stream_, stream_.recursions);
    const int line = stream_.line();
    if (!stream_.skip("not")) return parse_comparison();
    return make(line, Unary{UnaryOp::kNot, parse_not()});
  }

  ExpressionPtr parse_unary(bool with_filters) {
    const Level level(stream_, stream_.recursions);
    const int line = stream_.line();
    ExpressionPtr base = stream_.skip("-")   ? make(line, Unary{UnaryOp::kMinus, parse_unary(false)})
                         : stream_.skip("+") ? make(line, Unary{UnaryOp::kPlus, parse_unary(false)})
                                             : parse_primary();
    std::vector<PostfixStep> steps;
    while (std::optional<PostfixStep> step = parse_step(false)) steps.push_back(std::move(*step));
    while (std::optional<PostfixStep> step = with_filters ? parse_step(true) : std::nullopt) {
      steps.push_back(std::move(*step));
    }
    return steps.empty() ? std::move(base) : make(line, Postfix{std::move(base), std::move(steps)});
  }

  ExpressionPtr parse_primary() {
    const Token& token = stream_.current();
    const int line = token.line;
    if (token.type == TokenType::kName) return parse_name();
    if (token.type == TokenType::kNumber) return make(line, Literal(stream_.next().number));
    if (token.type == TokenType::kString) {
      std::string text;
      while (stream_.current().type == TokenType::kString) text += stream_.next().text;  // adjacent ones are joined
      return make(line, Literal{std::move(text)});
    }
    if (stream_.skip("(")) {
      if (stream_.skip(")")) return make(line, SequenceDisplay{SequenceType::kTuple, {}});
      ExpressionPtr inner = parse_tuple(true);
      stream_.expect(")");
      return inner;
    }
    if (stream_.skip("[")) {
      SequenceDisplay list{SequenceType::kList, {}};
      parse_items("]", [&] { list.items.push_back(parse_ternary()); });
      return make(line, std::move(list));
    }
    if (stream_.skip("{")) {
      DictDisplay dict;
      parse_items("}", [&] {
        ExpressionPtr key = parse_ternary();
        stream_.expect(":");
        dict.entries.emplace_back(std::move(key), parse_ternary());
      });
      return make(line, std::move(dict));
    }
    fail_at(line, "expected an expression, found {}", describe(token));
  }

  // Items with commas between them, and the closing bracket. A comma at the end does no harm.
  template <typename ParseItem>
  void parse_items(std::string_view close, ParseItem parse_item) {
    while (!stream_.skip(close)) {
      parse_item();
      if (stream_.skip(close)) return;
      stream_.expect(",");
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

  // Behind the first filter or test there are no attributes and items any more.
  std::optional<PostfixStep> parse_step(bool is_filtered) {
    const int line = stream_.line();
    if (stream_.skip("(")) return PostfixStep{line, parse_arguments()};
    if (is_filtered && stream_.skip("|")) return parse_filter();
    if (is_filtered && stream_.skip("is")) return parse_test(line);
    if (!is_filtered && stream_.skip("[")) return parse_subscript(line);
    if (is_filtered || !stream_.skip(".")) return std::nullopt;
    if (stream_.current().number.integer()) return PostfixStep{line, make(line, Literal(stream_.next().number))};
    return PostfixStep{line, GetAttribute{stream_.expect(TokenType::kName, "a name after '.'").text}};
  }

  PostfixStep parse_subscript(int line) {
    const auto bound = [&]() -> ExpressionPtr {
      return stream_.current().is_one_of({"]", ",", ":"}) ? nullptr : parse_ternary();
    };
    PostfixStep step{line, {}};
    ExpressionPtr first = bound();
    if (stream_.skip(":")) {
      GetSlice slice{std::move(first), bound(), nullptr};
      if (stream_.skip(":")) slice.step = bound();
      step.step = std::move(slice);
    } else {
      if (first == nullptr) fail_at(line, "expected an index, found {}", describe(stream_.current()));
      step.step = std::move(first);
    }
    if (stream_.current().is(",")) fail_at(line, "an index of several parts is not supported");
    stream_.expect("]");
    return step;
  }

  // The name of a filter or test, and what it stands for. One that cannot be used is an error of the template, unless a
  // condition may keep it from being reached, as in the reference.
  Apply parse_function(std::string_view kind, const Function* (*find)(std::string_view)) {
    const int line = stream_.line();
    std::string name = stream_.expect(TokenType::kName, "a name").text;
    while (stream_.skip(".")) name += "." + stream_.expect(TokenType::kName, "a name").text;
    Apply apply;
    apply.function = find(name);
    apply.refusal = refusal(kind, name, apply.function);
    if (!apply.refusal.empty() && stream_.conditions == 0) stream_.refusals.emplace_back(line, apply.refusal);
    return apply;
  }

  PostfixStep parse_filter() {
    const int line = stream_.line();
    Apply filter = parse_function("filter", find_filter);
    if (stream_.skip("(")) filter.arguments = parse_arguments();
    return {line, std::move(filter)};
  }

  PostfixStep parse_test(int line) {
    const bool negated = stream_.skip("not");
    Apply test = parse_function("test", find_test);
    test.is_test = true;
    test.negated = negated;
    const Token& token = stream_.current();
    const bool is_name = token.type == TokenType::kName && !token.is_one_of({"else", "or", "and"});
    const bool is_literal = token.type == TokenType::kString || token.type == TokenType::kNumber;
    if (stream_.skip("(")) {
      test.arguments = parse_arguments();
    } else if (token.is("is")) {
      fail_at(line, "tests cannot be chained with 'is'");
    } else if (is_name || is_literal || token.is_one_of({"[", "{"})) {  // one argument without parentheses
      test.arguments.positional.push_back(parse_unary(false));
    }
    return {line, std::move(test)};
  }

  ArgumentList parse_arguments() {
    ArgumentList arguments;
    parse_items(")", [&] {
      const Token& token = stream_.current();
      if (arguments.unpacked_named != nullptr) fail_at(token.line, "an argument follows one with '**'");
      if (stream_.skip("**")) {
        arguments.unpacked_named = parse_ternary();
      } else if (arguments.unpacked == nullptr && stream_.skip("*")) {
        arguments.unpacked = parse_ternary();
      } else if (token.type == TokenType::kName && stream_.following().is("=")) {
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
