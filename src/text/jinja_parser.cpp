#include "text/jinja_parser.h"

#include <algorithm>
#include <initializer_list>
#include <optional>

#include "text/jinja_error.h"
#include "text/jinja_expression_parser.h"
#include "text/jinja_token_stream.h"

namespace specthink::jinja {
namespace {

constexpr std::size_t kMaxTemplateBytes = std::size_t{4} << 20;

class Parser {
 public:
  explicit Parser(std::string_view source) : stream_(tokenize(source)), expressions_(stream_) {}

  Block parse() { return parse_block({}); }

 private:
  // Up to a tag that begins with one of `ends`, which is left to the caller. Without `ends`, up to the end.
  Block parse_block(std::initializer_list<std::string_view> ends) {
    const NestingGuard guard(stream_);
    Block block;
    while (stream_.current().type != TokenType::kEnd) {
      const Token& token = stream_.next();
      const int line = token.line;
      if (token.type == TokenType::kText) {
        block.push_back({line, Text{token.text}});
      } else if (token.type == TokenType::kVariableBegin) {
        block.push_back({line, Output{expressions_.parse_tuple(true)}});
        stream_.expect(TokenType::kVariableEnd, "'}}'");
      } else {
        if (std::any_of(ends.begin(), ends.end(), [&](auto end) { return stream_.current().is_name(end); }))
          return block;
        block.push_back(parse_statement());
        end_tag();
      }
    }
    if (ends.size() > 0)
      fail_at(stream_.line(), "unexpected end of the template: expected {{% {} %}}", *(ends.end() - 1));
    return block;
  }

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
    constexpr std::string_view kUnsupported[] = {"autoescape", "block",  "call",    "extends", "filter",
                                                 "from",       "import", "include", "print",   "with"};
    if (std::ranges::find(kUnsupported, name) != std::end(kUnsupported)) {
      fail_at(line, "the tag '{}' is not supported", name);
    }
    fail_at(line, "unknown or misplaced tag '{}'", name);
  }

  If parse_if() {
    If node;
    while (true) {
      ExpressionPtr condition = expressions_.parse_tuple(false);
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
    node.target = parse_target(false);
    check_loop_target(node.target);
    if (!stream_.skip_name("in")) fail_at(stream_.line(), "expected 'in', found {}", describe(stream_.current()));
    node.iterable = expressions_.parse_tuple(false);
    if (stream_.skip_name("if")) node.filter = expressions_.parse();
    if (stream_.current().is_name("recursive")) fail_at(stream_.line(), "recursive loops are not supported");
    stream_.skip_operator(":");
    end_tag();
    ++loops_;
    node.body = parse_block({"else", "endfor"});
    --loops_;
    if (stream_.next().is_name("else")) node.otherwise = parse_body("endfor");
    return node;
  }

  void check_loop_target(const Target& target) {
    if (target.name == "loop") fail_at(stream_.line(), "a loop cannot assign to 'loop'");
    for (const Target& part : target.parts) check_loop_target(part);
  }

  Statement parse_set(int line) {
    Target target = parse_target(true);
    if (stream_.skip_operator("=")) return {line, Set{std::move(target), expressions_.parse_tuple(true)}};
    std::vector<PostfixStep> filters = expressions_.parse_filters();
    Block body = parse_body("endset");
    return {line, SetBlock{std::move(target), std::move(filters), std::move(body)}};
  }

  // A name, or several with commas.
  Target parse_target(bool attributes) {
    const NestingGuard guard(stream_);
    Target tuple;
    bool comma = false;
    do {
      if (comma && (stream_.current().is_operator(")") || stream_.current().type == TokenType::kBlockEnd)) break;
      tuple.parts.push_back(parse_single_target(attributes));
      comma = stream_.skip_operator(",");
    } while (comma);
    if (tuple.parts.size() > 1 || comma) return tuple;  // "a," is a tuple of one
    Target single = std::move(tuple.parts[0]);
    return single;
  }

  Target parse_single_target(bool attributes) {
    if (stream_.skip_operator("(")) {
      Target inner = parse_target(attributes);
      stream_.expect_operator(")");
      return inner;
    }
    const Token& token = stream_.expect(TokenType::kName, "a name to assign to");
    constexpr std::string_view kConstants[] = {"true", "True", "false", "False", "none", "None"};
    if (std::ranges::find(kConstants, token.text) != std::end(kConstants)) {
      fail_at(token.line, "cannot assign to '{}'", token.text);
    }
    Target target;
    target.name = token.text;
    if (attributes && stream_.skip_operator(".")) target.attribute = stream_.expect(TokenType::kName, "a name").text;
    return target;
  }

  MacroDefinition parse_macro() {
    MacroDefinition macro;
    macro.name = stream_.expect(TokenType::kName, "the name of the macro").text;
    stream_.expect_operator("(");
    while (!stream_.skip_operator(")")) {
      if (!macro.parameters.empty()) stream_.expect_operator(",");
      std::string name = stream_.expect(TokenType::kName, "the name of a parameter").text;
      ExpressionPtr otherwise = stream_.skip_operator("=") ? expressions_.parse() : nullptr;
      if (otherwise == nullptr && !macro.parameters.empty() && macro.parameters.back().second != nullptr) {
        fail_at(stream_.line(), "the parameter '{}' without a default follows one with a default", name);
      }
      macro.parameters.emplace_back(std::move(name), std::move(otherwise));
    }
    ++macros_;
    expressions_.set_in_macro(true);
    macro.body = parse_function_body("endmacro");
    expressions_.set_in_macro(--macros_ > 0);
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
  ExpressionParser expressions_;
  int loops_ = 0;   // around the current place
  int macros_ = 0;  // likewise
};

}  // namespace

Block parse_template(std::string_view source) {
  if (source.size() > kMaxTemplateBytes) fail_at(1, "the template is larger than {} MiB", kMaxTemplateBytes >> 20);
  return Parser(source).parse();
}

}  // namespace specthink::jinja
