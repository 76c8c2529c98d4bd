#include "text/jinja_lexer.h"

#include <algorithm>
#include <optional>

#include "text/jinja_error.h"
#include "text/jinja_literals.h"
#include "text/jinja_unicode.h"

namespace specthink::jinja {
namespace {

// "\r\n" and "\r" are line breaks like "\n"; one at the very end is dropped.
std::string normalize_newlines(std::string_view source) {
  std::string result;
  result.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      result += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      result += source[i];
    }
  }
  if (result.ends_with('\n')) result.pop_back();
  return result;
}

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
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(position_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(position_ + bytes), '\n'));
    position_ += bytes;
    at_line_start_ = source_[position_ - 1] == '\n';
  }

  void skip_space() { advance(rest().size() - strip(rest(), Side::kLeft).size()); }

  void push(TokenType type, std::string text = "") {
    Token& token = tokens_.emplace_back();
    token.type = type;
    token.line = line_;
    token.text = std::move(text);
  }

  // Text up to a tag, and the tag.
  void root() {
    const std::size_t begin = find_tag();
    const std::string_view text = source_.substr(position_, begin - position_);
    if (begin == source_.size()) {
      push_text(text);
      return advance(text.size());
    }
    const char kind = source_[begin + 1];
    push_text_before_tag(text, sign_at(begin + 2), kind != '{');
    const int tag_line = line_;
    if (kind == '#') return comment(tag_line);
    if (kind == '%' && raw_begin()) return raw(tag_line);
    push(kind == '%' ? TokenType::kBlockBegin : TokenType::kVariableBegin);
    advance(sign_at(position_ + 2) == 0 ? 2 : 3);
    if (kind == '%') {
      block();
    } else {
      variable();
    }
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

  void push_text(std::string_view text) {
    if (!text.empty()) push(TokenType::kText, std::string(text));
  }

  // `sign` strips all white space before the tag (-), none (+), or, for blocks and comments alone on their line, the
  // indentation (lstrip_blocks).
  void push_text_before_tag(std::string_view text, char sign, bool may_lose_indentation) {
    std::string_view kept = text;
    if (sign == '-') {
      kept = strip(text, Side::kRight);
    } else if (sign != '+' && may_lose_indentation) {
      const std::size_t line_start = text.rfind('\n') + 1;  // npos + 1 is 0
      if ((line_start > 0 || at_line_start_) && is_all_space(text.substr(line_start)))
        kept = text.substr(0, line_start);
    }
    push_text(kept);
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

  // Moves behind "{% raw %}" when that is what comes.
  bool raw_begin() {
    std::string_view tag = rest().substr(2);
    if (sign_at(position_ + 2) != 0) tag.remove_prefix(1);
    tag = strip(tag, Side::kLeft);
    if (!tag.starts_with("raw")) return false;
    tag = strip(tag.substr(3), Side::kLeft);
    const bool strips = tag.starts_with("-%}");
    if (!strips && !tag.starts_with("%}")) return false;
    advance(rest().size() - tag.size() + (strips ? 3 : 2));
    if (strips) skip_space();
    return true;
  }

  void raw(int tag_line) {
    for (std::size_t begin = source_.find("{%", position_); begin != source_.npos;
         begin = source_.find("{%", begin + 2)) {
      const char sign = sign_at(begin + 2);
      std::string_view tag = strip(source_.substr(begin + (sign == 0 ? 2 : 3)), Side::kLeft);
      if (!tag.starts_with("endraw")) continue;
      tag = strip(tag.substr(6), Side::kLeft);
      if (!tag.starts_with("%}") && !tag.starts_with("-%}") && !tag.starts_with("+%}")) continue;
      push_text_before_tag(source_.substr(position_, begin - position_), sign, true);
      advance(source_.size() - tag.size() - position_);
      end_tag("%}", true);
      return;
    }
    fail_at(tag_line, "'raw' has no end: expected {{% endraw %}}");
  }

  void block() {
    while (!open_.empty() || !end_tag("%}", true)) code_token("'%}'");
    push(TokenType::kBlockEnd);
  }

  void variable() {
    while (!open_.empty() || !end_tag("}}", false)) code_token("'}}'");
    push(TokenType::kVariableEnd);
  }

  void code_token(std::string_view expected_end) {
    if (position_ == source_.size()) {
      fail_at(line_, "unexpected end of the template: expected {}",
              open_.empty() ? expected_end : fmt::format("'{}'", open_.back()));
    }
    const char c = source_[position_];
    if (std::size_t end = position_; is_space(next_code_point(source_, end))) {
      skip_space();
    } else if (is_decimal(c)) {
      number();
    } else if (is_name_start(c)) {
      std::size_t end = position_;
      while (end < source_.size() && (is_name_start(source_[end]) || is_decimal(source_[end]))) ++end;
      push(TokenType::kName, std::string(source_.substr(position_, end - position_)));
      advance(end - position_);
    } else if (c == '"' || c == '\'') {
      string(c);
    } else {
      symbol();
    }
  }

  void number() {
    // "1.2" after a dot is two indices, not a float.
    const bool after_dot = !tokens_.empty() && tokens_.back().is_operator(".") && source_[position_ - 1] == '.';
    const NumberLiteral literal = read_number(rest(), !after_dot, line_);
    push(literal.is_float ? TokenType::kFloat : TokenType::kInteger, std::string(rest().substr(0, literal.length)));
    tokens_.back().integer = literal.integer;
    tokens_.back().real = literal.real;
    advance(literal.length);
  }

  void string(char quote) {
    std::size_t end = position_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail_at(line_, "a string has no end: expected {}", quote);
    push(TokenType::kString, unescape(source_.substr(position_ + 1, end - position_ - 1), line_));
    advance(end + 1 - position_);
  }

  void symbol() {
    constexpr std::string_view kSymbols[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                             "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    const auto found =
        std::find_if(std::begin(kSymbols), std::end(kSymbols), [&](std::string_view s) { return at(s); });
    if (found == std::end(kSymbols)) {
      std::size_t end = position_;
      next_code_point(source_, end);
      fail_at(line_, "unexpected character '{}'", source_.substr(position_, end - position_));
    }
    balance((*found)[0]);
    push(TokenType::kOperator, std::string(*found));
    advance(found->size());
  }

  // Inside brackets, "}}" and "%}" do not end the tag.
  void balance(char symbol) {
    switch (symbol) {
      case '(':
        open_ += ')';
        return;
      case '[':
        open_ += ']';
        return;
      case '{':
        open_ += '}';
        return;
      case ')':
      case ']':
      case '}':
        if (open_.empty()) fail_at(line_, "unexpected '{}'", symbol);
        if (open_.back() != symbol) fail_at(line_, "unexpected '{}', expected '{}'", symbol, open_.back());
        open_.pop_back();
    }
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
  switch (token.type) {
    case TokenType::kText:
      return "text";
    case TokenType::kBlockBegin:
      return "'{%'";
    case TokenType::kBlockEnd:
      return "'%}'";
    case TokenType::kVariableBegin:
      return "'{{'";
    case TokenType::kVariableEnd:
      return "'}}'";
    case TokenType::kString:
      return "a string";
    case TokenType::kEnd:
      return "the end of the template";
    default:
      return fmt::format("'{}'", token.text);
  }
}

std::vector<Token> tokenize(std::string_view source) { return Lexer(normalize_newlines(source)).run(); }

}  // namespace specthink::jinja
