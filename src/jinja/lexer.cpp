#include "jinja/lexer.h"

#include <algorithm>

#include "specthink/base/python/error.h"
#include "specthink/base/python/literal.h"
#include "specthink/base/python/text.h"
#include "specthink/base/utf8.h"
#include "specthink/jinja/error.h"

namespace specthink::jinja {
namespace {

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_decimal(char c) { return c >= '0' && c <= '9'; }

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    while (position_ < source_.size()) root();
    push(TokenType::kEnd);
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const { return source_.substr(position_); }
  bool at(std::string_view text) const { return rest().starts_with(text); }

  void advance(std::size_t bytes) {
    if (bytes == 0) return;
    line_ += static_cast<int>(std::ranges::count(source_.substr(position_, bytes), '\n'));
    position_ += bytes;
    at_line_start_ = source_[position_ - 1] == '\n';
  }

  void skip_space() { advance(rest().size() - python::strip(rest(), python::Side::kLeft).size()); }

  void push(TokenType type, std::string_view text = "", const Value& number = Value()) {
    tokens_.push_back({type, line_, std::string(text), number});
  }

  // Text up to a tag, and the tag.
  void root() {
    const std::size_t begin = find_tag();
    const std::string_view text = source_.substr(position_, begin - position_);
    if (begin == source_.size()) return push_text(text, '+', false);
    const char kind = source_[begin + 1];
    push_text(text, sign_at(begin + 2), kind != '{');
    const int tag_line = line_;
    if (kind == '#') return comment(tag_line);
    if (const std::size_t length = kind == '%' ? length_of_tag(rest(), "raw") : 0; length > 0) {
      advance(length);
      return raw(tag_line);
    }
    push(TokenType::kOperator, rest().substr(0, 2));
    advance(sign_at(position_ + 2) == 0 ? 2 : 3);
    code(kind == '%' ? "%}" : "}}", kind == '%');
  }

  std::size_t find_tag() const {
    for (std::size_t i = source_.find('{', position_); i != source_.npos; i = source_.find('{', i + 1)) {
      if (i + 1 < source_.size() && std::string_view("{%#").find(source_[i + 1]) != std::string_view::npos) return i;
    }
    return source_.size();
  }

  char sign_at(std::size_t position) const {
    const char c = position < source_.size() ? source_[position] : '\0';
    return c == '-' || c == '+' ? c : '\0';
  }

  // `sign` strips all white space before the tag (-), none (+), or, for blocks and comments alone on their line, the
  // indentation (lstrip_blocks).
  void push_text(std::string_view text, char sign, bool may_lose_indentation) {
    std::string_view kept = text;
    if (sign == '-') {
      kept = python::strip(text, python::Side::kRight);
    } else if (sign != '+' && may_lose_indentation) {
      const std::size_t line_start = text.rfind('\n') + 1;  // npos + 1 is 0
      if ((line_start > 0 || at_line_start_) && python::strip(text.substr(line_start), python::Side::kLeft).empty())
        kept = text.substr(0, line_start);
    }
    if (!kept.empty()) push(TokenType::kText, kept);
    advance(text.size());
  }

  // Moves behind the end of a tag, and the white space that goes with it, when that is what comes.
  bool end_tag(std::string_view end, bool trims_newline) {
    if (at(end)) {
      advance(end.size());
      if (trims_newline && at("\n")) advance(1);
      return true;
    }
    const char sign = sign_at(position_);
    if (sign == 0 || !rest().substr(1).starts_with(end)) return false;
    if (sign == '+' && !trims_newline) return false;  // "+" only stops trimming
    advance(1 + end.size());
    if (sign == '-') skip_space();
    return true;
  }

  void comment(int tag_line) {
    const std::size_t begin = position_ + 2 + (sign_at(position_ + 2) != 0);
    const std::size_t end = source_.find("#}", begin);
    if (end == source_.npos) fail_at(tag_line, "a comment has no end: expected '#}}'");
    advance(end - (end > begin && sign_at(end - 1) != 0) - position_);
    end_tag("#}", true);
  }

  // The length of a tag that has nothing but this name, up to its end sign; 0 when the text does not begin with one.
  static std::size_t length_of_tag(std::string_view text, std::string_view name) {
    std::string_view tag = text.substr(text.size() > 2 && (text[2] == '-' || text[2] == '+') ? 3 : 2);
    tag = python::strip(tag, python::Side::kLeft);
    if (!tag.starts_with(name)) return 0;
    tag = python::strip(tag.substr(name.size()), python::Side::kLeft);
    const bool ends = tag.starts_with("%}") || tag.starts_with("-%}") || tag.starts_with("+%}");
    return ends ? text.size() - tag.size() : 0;
  }

  // The text between "{% raw %}", at whose end sign this is, and "{% endraw %}".
  void raw(int tag_line) {
    end_tag("%}", false);
    std::size_t end = source_.find("{%", position_);
    while (end != source_.npos && length_of_tag(source_.substr(end), "endraw") == 0) end = source_.find("{%", end + 2);
    if (end == source_.npos) fail_at(tag_line, "'raw' has no end: expected {{% endraw %}}");
    push_text(source_.substr(position_, end - position_), sign_at(end + 2), true);
    advance(length_of_tag(rest(), "endraw"));
    end_tag("%}", true);
  }

  // The inside of a tag, and its end.
  void code(std::string_view end, bool trims_newline) {
    while (!open_.empty() || !end_tag(end, trims_newline)) code_token(end);
    push(TokenType::kOperator, end);
  }

  void code_token(std::string_view end) {
    if (position_ == source_.size()) {
      fail_at(line_, "unexpected end of the template: expected '{}'",
              open_.empty() ? end : std::string_view(open_).substr(open_.size() - 1));
    }
    const char c = source_[position_];
    if (python::is_space(next_utf8(rest()).code)) {
      skip_space();
    } else if (is_name_start(c)) {
      std::size_t end = position_;
      while (end < source_.size() && (is_name_start(source_[end]) || is_decimal(source_[end]))) ++end;
      push(TokenType::kName, source_.substr(position_, end - position_));
      advance(end - position_);
    } else if (is_decimal(c) || c == '"' || c == '\'') {
      literal();
    } else {
      symbol();
    }
  }

  // A number or a string, as Python writes them.
  void literal() {
    std::string_view behind = rest();
    try {
      if (is_decimal(behind.front())) {
        const Value number = python::read_number(behind);
        push(TokenType::kNumber, rest().substr(0, rest().size() - behind.size()), number);
      } else {
        push(TokenType::kString, python::read_string(behind));
      }
    } catch (const python::Error& error) {
      fail_at(line_, "{}", error.what());
    }
    advance(rest().size() - behind.size());
  }

  void symbol() {
    constexpr std::string_view kSymbols[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                             "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    const auto found = std::ranges::find_if(kSymbols, [&](std::string_view symbol) { return at(symbol); });
    if (found == std::end(kSymbols)) {
      fail_at(line_, "unexpected character '{}'", rest().substr(0, next_utf8(rest()).length));
    }
    balance((*found)[0]);
    push(TokenType::kOperator, *found);
    advance(found->size());
  }

  // Inside brackets, "}}" and "%}" do not end the tag.
  void balance(char symbol) {
    constexpr std::string_view kOpening = "([{";
    constexpr std::string_view kClosing = ")]}";
    if (const std::size_t opening = kOpening.find(symbol); opening != kOpening.npos) open_ += kClosing[opening];
    if (kClosing.find(symbol) == kClosing.npos) return;
    if (open_.empty()) fail_at(line_, "unexpected '{}'", symbol);
    if (open_.back() != symbol) fail_at(line_, "unexpected '{}', expected '{}'", symbol, open_.back());
    open_.pop_back();
  }

  std::string_view source_;
  std::size_t position_ = 0;
  int line_ = 1;
  bool at_line_start_ = true;
  std::string open_;  // closing brackets that are still to come
  std::vector<Token> tokens_;
};

}  // namespace

std::string describe(const Token& token) {
  if (token.type == TokenType::kEnd) return "the end of the template";
  if (token.type == TokenType::kText) return "text";
  return token.type == TokenType::kString ? "a string" : fmt::format("'{}'", token.text);
}

std::vector<Token> tokenize(std::string_view source) {
  std::string text = python::with_universal_newlines(source);
  if (text.ends_with('\n')) text.pop_back();
  return Lexer(text).run();
}

}  // namespace specthink::jinja
