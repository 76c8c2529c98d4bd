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
      } else if (token.is("{{")) {
        block.push_back({token.line, parse_tuple(stream_, true)});
        stream_.expect("}}");
      } else if (stream_.current().is_one_of(ends)) {
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
  void end_tag() { stream_.expect("%}"); }

  // A block with its opening tag's end and its closing tag.
  Block parse_body(std::string_view end) {
    stream_.skip(":");
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
    if (name == "call") return {line, parse_call()};
    if (name == "filter") return {line, parse_filter_block()};
    if (name == "with") return {line, parse_with()};
    if (name == "generation") return {line, FilteredBlock{{}, {}, parse_function_body("endgeneration")}};
    if (name == "break" || name == "continue") {
      if (loops_ == 0) fail_at(line, "'{}' outside a loop", name);
      return {line, name == "break" ? Flow::kBreak : Flow::kContinue};
    }
    return {line, refuse(tag)};
  }

  // Tags that are not supported: an error where they are surely reached; inside a condition, only when they are.
  Refusal refuse(const Token& tag) {
    const bool has_body = tag.is_one_of({"autoescape", "block"});
    const bool is_known = has_body || tag.is_one_of({"extends", "from", "import", "include", "print"});
    if (!is_known) fail_at(tag.line, "unknown or misplaced tag '{}'", tag.text);
    std::string message = fmt::format("the tag '{}' is not supported", tag.text);
    if (stream_.conditions == 0) throw TemplateError(tag.line, message);
    skip_to_tag_end();
    if (has_body) {
      parse_function_body("end" + tag.text);
      skip_to_tag_end();  // {% endblock name %}
    }
    return {std::move(message)};
  }

  void skip_to_tag_end() {
    while (!stream_.current().is("%}") && stream_.current().type != TokenType::kEnd) stream_.next();
  }

  If parse_if() {
    const Level level(stream_, stream_.conditions);
    If node;
    while (true) {
      ExpressionPtr condition = parse_tuple(stream_, false);
      stream_.skip(":");
      end_tag();
      Block block = parse_block({"elif", "else", "endif"});
      node.branches.emplace_back(std::move(condition), std::move(block));
      const Token& tag = stream_.next();
      if (tag.is("elif")) continue;
      if (tag.is("else")) node.otherwise = parse_body("endif");
      return node;
    }
  }

  For parse_for() {
    For node;
    node.target = parse_target(false);
    stream_.expect("in");
    node.iterable = parse_tuple(stream_, false);
    if (stream_.skip("if")) node.filter = parse_expression(stream_);
    if (stream_.current().is("recursive")) fail_at(stream_.line(), "recursive loops are not supported");
    stream_.skip(":");
    end_tag();
    ++loops_;
    node.body = parse_block({"else", "endfor"});
    --loops_;
    if (stream_.next().is("else")) node.otherwise = parse_body("endfor");
    return node;
  }

  Statement parse_set(int line) {
    Target target = parse_target(true);
    if (stream_.skip("=")) return {line, Set{std::move(target), parse_tuple(stream_, true)}};
    std::vector<PostfixStep> filters = stream_.skip("|") ? parse_filters(stream_) : std::vector<PostfixStep>();
    return {line, FilteredBlock{std::move(target), std::move(filters), parse_body("endset")}};
  }

  FilteredBlock parse_filter_block() {
    std::vector<PostfixStep> filters = parse_filters(stream_);
    if (filters.empty()) stream_.expect(TokenType::kName, "the name of a filter");
    return {std::nullopt, std::move(filters), parse_body("endfilter")};
  }

  With parse_with() {
    With node;
    while (!stream_.current().is("%}")) {
      if (!node.values.empty()) stream_.expect(",");
      Target target = parse_target(false);
      stream_.expect("=");
      node.values.emplace_back(std::move(target), parse_expression(stream_));
    }
    node.body = parse_body("endwith");
    return node;
  }

  // A name, or several with commas.
  Target parse_target(bool is_set) {
    Target first = parse_one_target(is_set);
    if (!stream_.current().is(",")) return first;
    Target all;
    all.parts.push_back(std::move(first));
    const auto ends = [&] { return stream_.current().is(")") || (!is_set && stream_.current().is("in")); };
    while (stream_.skip(",") && !ends()) all.parts.push_back(parse_one_target(is_set));
    return all;
  }

  Target parse_one_target(bool is_set) {
    const Level level(stream_, stream_.recursions);
    if (stream_.skip("(")) {
      Target inner = parse_target(is_set);
      stream_.expect(")");
      return inner;
    }
    const Token& token = stream_.expect(TokenType::kName, "a name to assign to");
    if (token.is_one_of({"true", "True", "false", "False", "none", "None"})) {
      fail_at(token.line, "cannot assign to '{}'", token.text);
    }
    if (!is_set && token.text == "loop") fail_at(token.line, "a loop cannot assign to 'loop'");
    Target target{token.text, "", {}};
    if (is_set && stream_.skip(".")) target.attribute = stream_.expect(TokenType::kName, "a name").text;
    return target;
  }

  MacroDefinition parse_macro() {
    MacroDefinition macro;
    macro.name = stream_.expect(TokenType::kName, "the name of the macro").text;
    stream_.expect("(");
    parse_parameters(macro);
    parse_macro_body(macro, "endmacro");
    return macro;
  }

  CallBlock parse_call() {
    CallBlock node;
    node.caller.name = "caller";
    if (stream_.skip("(")) parse_parameters(node.caller);
    const int line = stream_.line();
    node.call = parse_expression(stream_);
    const auto* postfix = std::get_if<Postfix>(&node.call->node);
    if (postfix == nullptr || !std::holds_alternative<Call>(postfix->steps.back().step)) {
      fail_at(line, "expected the call of a macro");
    }
    parse_macro_body(node.caller, "endcall");
    return node;
  }

  void parse_parameters(MacroDefinition& macro) {
    while (!stream_.skip(")")) {
      if (!macro.parameters.empty()) stream_.expect(",");
      std::string name = stream_.expect(TokenType::kName, "the name of a parameter").text;
      ExpressionPtr otherwise = stream_.skip("=") ? parse_expression(stream_) : nullptr;
      if (otherwise == nullptr && !macro.parameters.empty() && macro.parameters.back().second != nullptr) {
        fail_at(stream_.line(), "the parameter '{}' without a default follows one with a default", name);
      }
      if (name == "caller" && otherwise == nullptr) fail_at(stream_.line(), "the parameter 'caller' needs a default");
      macro.parameters.emplace_back(std::move(name), std::move(otherwise));
    }
  }

  void parse_macro_body(MacroDefinition& macro, std::string_view end) {
    const MacroVariables seen = std::exchange(stream_.seen, {});
    macro.body = parse_function_body(end);
    const auto is_free = [&](std::string_view name) {
      return std::ranges::none_of(macro.parameters, [&](const auto& parameter) { return parameter.first == name; });
    };
    auto& [caller, kwargs, varargs] = stream_.seen;
    macro.uses = {caller && is_free("caller"), kwargs && is_free("kwargs"), varargs && is_free("varargs")};
    stream_.seen = {caller || seen.caller, kwargs || seen.kwargs, varargs || seen.varargs};
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
