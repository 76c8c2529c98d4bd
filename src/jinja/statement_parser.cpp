// Statements: tokens to a template, by the grammar of Jinja.
#include <algorithm>
#include <initializer_list>

#include "jinja/parser.h"
#include "specthink/jinja/error.h"
#include "specthink/jinja/template.h"

namespace specthink::jinja {
namespace {

constexpr std::size_t kMaxTemplateBytes = std::size_t{4} << 20;

class Parser {
 public:
  explicit Parser(std::string_view source) : stream_(tokenize(source)) {}

  // Up to a tag that begins with one of `ends`, which is left to the caller. Without `ends`, up to the end.
  Block parse_block(std::initializer_list<std::string_view> ends) {
    const Level level(stream_, stream_.recursions);
    Block block;
    while (stream_.current().type != TokenType::kEnd) {
      const Token& token = stream_.next();
      if (token.type == TokenType::kText) {
        block.push_back({token.line, Text{token.text}});
      } else if (token.type == TokenType::kVariableBegin) {
        block.push_back({token.line, Output{parse_tuple(stream_, true)}});
        stream_.expect(TokenType::kVariableEnd, "'}}'");
      } else if (std::ranges::any_of(ends, [&](auto end) { return stream_.current().is_name(end); })) {
        return block;
      } else {
        block.push_back(parse_statement());
        end_tag();
      }
      if (!stream_.refusals.empty()) throw stream_.refusals.front();
    }
    if (ends.size() == 0) return block;
    fail_at(stream_.line(), "unexpected end of the template: expected {{% {} %}}", *(ends.end() - 1));
  }

 private:
  void end_tag() { stream_.expect(TokenType::kBlockEnd, "'%}'"); }

  // A block with its opening tag's end and its closing tag.
  Block parse_body(std::string_view end) {
    stream_.skip_operator(":");
    end_tag();
    Block block = parse_block({end});
    stream_.next();
    return block;
  }

  Statement parse_statement() {
    const Token& tag = stream_.expect(TokenType::kName, "the name of a tag");
    const int line = tag.line;
    const std::string& name = tag.text;
    if (name == "if") return {line, parse_if()};
    if (name == "for") return {line, parse_for()};
    if (name == "set") return parse_set(line);
    if (name == "macro") return {line, parse_macro()};
    if (name == "generation") return {line, Generation{parse_function_body("endgeneration")}};
    if (name == "break" || name == "continue") {
      if (loops_ == 0) fail_at(line, "'{}' outside a loop", name);
      return name == "break" ? Statement{line, Break{}} : Statement{line, Continue{}};
    }
    return {line, refuse(line, name)};
  }

  // Tags that are not supported: an error where they are surely reached; inside a condition, only when they are.
  Refusal refuse(int line, const std::string& name) {
    constexpr std::string_view kWithBody[] = {"autoescape", "block", "call", "filter", "with"};
    constexpr std::string_view kWithoutBody[] = {"extends", "from", "import", "include", "print"};
    const bool has_no_body = std::ranges::find(kWithoutBody, name) != std::end(kWithoutBody);
    if (!has_no_body && std::ranges::find(kWithBody, name) == std::end(kWithBody)) {
      fail_at(line, "unknown or misplaced tag '{}'", name);
    }
    std::string message = fmt::format("the tag '{}' is not supported", name);
    if (stream_.conditions == 0) throw TemplateError(line, message);
    skip_to_tag_end();
    if (!has_no_body) {
      parse_function_body("end" + name);
      skip_to_tag_end();  // {% endblock name %}
    }
    return {std::move(message)};
  }

  void skip_to_tag_end() {
    while (stream_.current().type != TokenType::kBlockEnd && stream_.current().type != TokenType::kEnd) stream_.next();
  }

  If parse_if() {
    const Level level(stream_, stream_.conditions);
    If node;
    while (true) {
      ExpressionPtr condition = parse_tuple(stream_, false);
      stream_.skip_operator(":");
      end_tag();
      Block block = parse_block({"elif", "else", "endif"});
      node.branches.emplace_back(std::move(condition), std::move(block));
      const Token& tag = stream_.next();
      if (tag.is_name("elif")) continue;
      if (tag.is_name("else")) node.otherwise = parse_body("endif");
      return node;
    }
  }

  For parse_for() {
    For node;
    node.targets = parse_targets(false);
    if (!stream_.skip_name("in")) fail_at(stream_.line(), "expected 'in', found {}", describe(stream_.current()));
    node.iterable = parse_tuple(stream_, false);
    if (stream_.skip_name("if")) node.filter = parse_expression(stream_);
    if (stream_.current().is_name("recursive")) fail_at(stream_.line(), "recursive loops are not supported");
    stream_.skip_operator(":");
    end_tag();
    ++loops_;
    node.body = parse_block({"else", "endfor"});
    --loops_;
    if (stream_.next().is_name("else")) node.otherwise = parse_body("endfor");
    return node;
  }

  Statement parse_set(int line) {
    Targets targets = parse_targets(true);
    if (stream_.skip_operator("=")) return {line, Set{std::move(targets), parse_tuple(stream_, true)}};
    if (stream_.current().is_operator("|")) fail_at(line, "a filter in {{% set %}} is not supported");
    return {line, SetBlock{std::move(targets), parse_body("endset")}};
  }

  // A name, or several with commas.
  Targets parse_targets(bool is_set) {
    constexpr std::string_view kConstants[] = {"true", "True", "false", "False", "none", "None"};
    Targets targets;
    do {
      if (stream_.current().is_operator("(")) fail_at(stream_.line(), "'(' in an assignment is not supported");
      const Token& token = stream_.expect(TokenType::kName, "a name to assign to");
      if (std::ranges::find(kConstants, token.text) != std::end(kConstants)) {
        fail_at(token.line, "cannot assign to '{}'", token.text);
      }
      if (!is_set && token.text == "loop") fail_at(token.line, "a loop cannot assign to 'loop'");
      targets.push_back({token.text, ""});
      if (is_set && stream_.skip_operator("."))
        targets.back().attribute = stream_.expect(TokenType::kName, "a name").text;
    } while (stream_.skip_operator(","));
    return targets;
  }

  MacroDefinition parse_macro() {
    MacroDefinition macro;
    macro.name = stream_.expect(TokenType::kName, "the name of the macro").text;
    stream_.expect_operator("(");
    while (!stream_.skip_operator(")")) {
      if (!macro.parameters.empty()) stream_.expect_operator(",");
      std::string name = stream_.expect(TokenType::kName, "the name of a parameter").text;
      ExpressionPtr otherwise = stream_.skip_operator("=") ? parse_expression(stream_) : nullptr;
      if (otherwise == nullptr && !macro.parameters.empty() && macro.parameters.back().second != nullptr) {
        fail_at(stream_.line(), "the parameter '{}' without a default follows one with a default", name);
      }
      macro.parameters.emplace_back(std::move(name), std::move(otherwise));
    }
    const Level level(stream_, stream_.macros);
    macro.body = parse_function_body("endmacro");
    return macro;
  }

  // The body of what is a function in the reference: a loop around it cannot be left from inside.
  Block parse_function_body(std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    Block body = parse_body(end);
    loops_ = loops;
    return body;
  }

  TokenStream stream_;
  int loops_ = 0;  // around the current place
};

}  // namespace

Template::Template(std::string_view source) {
  if (source.size() > kMaxTemplateBytes) fail_at(1, "the template is larger than {} MiB", kMaxTemplateBytes >> 20);
  block_ = std::make_shared<const Block>(Parser(source).parse_block({}));
}

}  // namespace specthink::jinja
