// The part of ExpressionParser for what follows a value: .name, [key], (arguments), |filter, is test.
#include "text/jinja_expression_parser.h"

namespace specthink::jinja {

void ExpressionParser::parse_postfix(std::vector<PostfixStep>& steps) {
  while (true) {
    const Token& token = stream_.current();
    if (token.is_operator(".") || token.is_operator("[")) {
      steps.push_back(parse_subscript());
    } else if (token.is_operator("(")) {
      const int line = token.line;
      steps.push_back({line, Call{parse_arguments()}});
    } else {
      return;
    }
  }
}

void ExpressionParser::parse_filters_and_tests(std::vector<PostfixStep>& steps) {
  while (true) {
    const Token& token = stream_.current();
    if (token.is_operator("|")) {
      steps.push_back(parse_filter());
    } else if (token.is_name("is")) {
      steps.push_back(parse_test());
    } else if (token.is_operator("(")) {
      const int line = token.line;
      steps.push_back({line, Call{parse_arguments()}});
    } else {
      return;
    }
  }
}

std::vector<PostfixStep> ExpressionParser::parse_filters() {
  std::vector<PostfixStep> steps;
  while (stream_.current().is_operator("|")) steps.push_back(parse_filter());
  return steps;
}

PostfixStep ExpressionParser::parse_subscript() {
  const int line = stream_.line();
  if (stream_.next().is_operator(".")) {
    const Token& name = stream_.next();
    if (name.type == TokenType::kName) return {line, GetAttribute{name.text}};
    if (name.type != TokenType::kInteger)
      fail_at(line, "expected a name or number after '.', found {}", describe(name));
    return {line, GetItem{std::make_unique<const Expression>(Expression{line, Literal{name.integer}})}};
  }
  const auto at_end = [&] { return stream_.current().is_operator("]") || stream_.current().is_operator(","); };
  const auto bound = [&]() -> ExpressionPtr {
    return at_end() || stream_.current().is_operator(":") ? nullptr : parse_ternary();
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

std::string ExpressionParser::parse_function_name() {
  std::string name = stream_.expect(TokenType::kName, "a name").text;
  while (stream_.skip_operator(".")) name += "." + stream_.expect(TokenType::kName, "a name").text;
  return name;
}

PostfixStep ExpressionParser::parse_filter() {
  stream_.expect_operator("|");
  const int line = stream_.line();
  const std::string name = parse_function_name();
  const Function* filter = find_filter(name);
  if (filter == nullptr) fail_at(line, "there is no filter '{}'", name);
  if (filter->call == nullptr) fail_at(line, "the filter '{}' is not supported", name);
  ApplyFilter step{filter, {}};
  if (stream_.current().is_operator("(")) step.arguments = parse_arguments();
  return {line, std::move(step)};
}

PostfixStep ExpressionParser::parse_test() {
  const int line = stream_.next().line;
  const bool negated = stream_.skip_name("not");
  const std::string name = parse_function_name();
  const Function* test = find_test(name);
  if (test == nullptr) fail_at(line, "there is no test '{}'", name);
  if (test->call == nullptr) fail_at(line, "the test '{}' is not supported", name);
  ApplyTest step{test, negated, {}};
  const Token& token = stream_.current();
  const bool ends_test = token.is_name("else") || token.is_name("or") || token.is_name("and");
  if (token.is_operator("(")) {
    step.arguments = parse_arguments();
  } else if (token.is_name("is")) {
    fail_at(line, "tests cannot be chained with 'is'");
  } else if ((token.type == TokenType::kName && !ends_test) || token.type == TokenType::kString ||
             token.type == TokenType::kInteger || token.type == TokenType::kFloat || token.is_operator("[") ||
             token.is_operator("{")) {  // one argument without parentheses
    const int argument_line = token.line;
    const NestingGuard guard(stream_);
    ExpressionPtr argument = parse_primary();
    std::vector<PostfixStep> steps;
    parse_postfix(steps);
    if (!steps.empty()) {
      argument =
          std::make_unique<const Expression>(Expression{argument_line, Postfix{std::move(argument), std::move(steps)}});
    }
    step.arguments.positional.push_back(std::move(argument));
  }
  return {line, std::move(step)};
}

ArgumentList ExpressionParser::parse_arguments() {
  ArgumentList arguments;
  stream_.expect_operator("(");
  bool first = true;
  while (!stream_.skip_operator(")")) {
    if (!first) {
      stream_.expect_operator(",");
      if (stream_.skip_operator(")")) break;
    }
    first = false;
    const Token& token = stream_.current();
    if (token.is_operator("*") || token.is_operator("**")) {
      fail_at(token.line, "'{}' before an argument is not supported", token.text);
    }
    if (token.type == TokenType::kName && stream_.following().is_operator("=")) {
      std::string name = stream_.next().text;
      stream_.next();
      arguments.named.emplace_back(std::move(name), parse_ternary());
    } else {
      if (!arguments.named.empty()) fail_at(token.line, "an argument without a name follows one with a name");
      arguments.positional.push_back(parse_ternary());
    }
  }
  return arguments;
}

}  // namespace specthink::jinja
