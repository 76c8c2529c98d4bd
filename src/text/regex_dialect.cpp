#include "text/regex_dialect.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "text/regex.h"

namespace specthink::inline text {
namespace {

// Outside a class, Oniguruma looks Latin-1 up in a table of its own, in which superscript digits and fractions are part
// of a word.
constexpr std::string_view kClassWordMembers = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";
constexpr std::string_view kWordMembers = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE})";
constexpr std::string_view kHexMembers = "0-9A-Fa-f";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// PCRE2 takes a bare script name for the script's extensions too, Oniguruma does not.
bool is_script(std::string_view name) {
  static constexpr std::string_view kGeneralCategories = "CLMNPSZ";
  if (name.size() <= 2 && kGeneralCategories.find(name.front()) != std::string_view::npos) return false;
  return Regex::compiles(fmt::format("\\p{{sc:{}}}", name));
}

class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  Pcre2Pattern run() {
    while (!at_end()) {
      item_ = next_;
      step();
    }
    if (!groups_.empty()) throw RegexError("missing )", pattern_.size());
    return std::move(result_);
  }

 private:
  bool at_end() const { return next_ == pattern_.size(); }
  bool looking_at(std::string_view text) const { return pattern_.substr(next_).starts_with(text); }

  char take() {
    if (at_end()) throw RegexError("unexpected end of the pattern", pattern_.size());
    return pattern_[next_++];
  }

  bool take_if(std::string_view text) {
    if (!looking_at(text)) return false;
    next_ += text.size();
    return true;
  }

  [[noreturn]] void unsupported(std::string_view what) const {
    throw RegexError(fmt::format("{} is not supported", what), item_);
  }

  void emit(std::string_view text) {
    result_.text += text;
    result_.source.resize(result_.text.size(), item_);
  }
  void emit(char c) { emit(std::string_view(&c, 1)); }

  // What follows is one thing that a quantifier can apply to.
  void begin_atom() { atom_ = result_.text.size(); }

  void step() {
    const char c = take();
    switch (c) {
      case '\\':
        begin_atom();
        escape();
        break;
      case '[':
        begin_atom();
        character_class();
        break;
      case '(':
        open_group();
        break;
      case ')':
        if (groups_.empty()) throw RegexError("unmatched )", item_);
        atom_ = groups_.back();
        groups_.pop_back();
        emit(c);
        break;
      case '*':
      case '+':
      case '?':
        emit(c);
        if (looking_at("?") || looking_at("+")) emit(take());  // lazy and possessive mean the same to both
        break;
      case '{':
        interval();
        break;
      case '|':
      case '^':
      case '$':
        atom_.reset();
        emit(c);
        break;
      default:
        literal(c);
    }
  }

  void literal(char c) {
    begin_atom();
    emit(c);
    while (!at_end() && (static_cast<std::uint8_t>(pattern_[next_]) & 0xC0) == 0x80) emit(take());
  }

  void open_group() {
    groups_.push_back(result_.text.size());
    atom_.reset();
    if (looking_at("*")) unsupported("(*");
    if (!take_if("?")) return emit("(?:");  // nothing refers to groups
    for (const std::string_view kind : {":", "=", "!", ">", "<=", "<!"}) {
      if (take_if(kind)) {
        emit("(?");
        return emit(kind);
      }
    }
    group_options();
  }

  // (?imx-imx:...) and (?i) at the start of the pattern. Ruby's m is PCRE2's s; its ^ and $ always work line by line.
  void group_options() {
    std::string options = "(?";
    for (;;) {
      const char c = take();
      if (c == 'i' || c == '-') {
        options += c;
      } else if (c == 'm') {
        options += 's';
      } else if (c == ':') {
        return emit(options + ":");
      } else if (c == ')' && item_ == 0) {
        groups_.pop_back();
        return emit(options + ")");
      } else {
        unsupported(pattern_.substr(item_, next_ - item_));
      }
    }
  }

  std::optional<std::string> number() {
    const std::size_t start = next_;
    while (!at_end() && is_digit(pattern_[next_])) ++next_;
    if (start == next_) return std::nullopt;
    return std::string(pattern_.substr(start, next_ - start));
  }

  // {n}, {n,}, {n,m} and {,m}; anything else after a brace is text.
  void interval() {
    const std::size_t start = next_;
    const auto low = number();
    const bool has_comma = take_if(",");
    const auto high = has_comma ? number() : std::nullopt;
    if ((!low && !high) || !take_if("}")) {
      next_ = start;
      begin_atom();
      return emit("\\{");
    }
    emit(fmt::format("{{{}{}{}}}", low.value_or("0"), has_comma ? "," : "", high.value_or("")));
    // Ruby reads X{n,m}+ as (?:X{n,m})+ and X{n}? as (?:X{n})?; to PCRE2 these are possessive and lazy.
    if (looking_at("+")) return repeat_interval();
    if (looking_at("?")) return has_comma ? emit(take()) : repeat_interval();
  }

  void repeat_interval() {
    if (!atom_) unsupported("a quantifier without anything to repeat");
    static constexpr std::string_view kOpen = "(?:";
    result_.text.insert(*atom_, kOpen);
    result_.source.insert(result_.source.begin() + static_cast<std::ptrdiff_t>(*atom_), kOpen.size(), item_);
    emit(")");
    emit(take());
  }

  void escape() {
    const char c = take();
    const auto word = fmt::format("[{}]", kWordMembers);
    switch (c) {
      case 'w':
        return emit(word);
      case 'W':
        return emit(fmt::format("[^{}]", kWordMembers));
      case 'h':
        return emit(fmt::format("[{}]", kHexMembers));
      case 'H':
        return emit(fmt::format("[^{}]", kHexMembers));
      case 'b':
        return emit(fmt::format("(?:(?<={0})(?!{0})|(?<!{0})(?={0}))", word));
      case 'B':
        return emit(fmt::format("(?:(?<={0})(?={0})|(?<!{0})(?!{0}))", word));
      case 'A':
      case 'z':
      case 'Z':
        atom_.reset();
        emit('\\');
        return emit(c);
      default:
        common_escape(c);
    }
  }

  // Escapes that mean the same inside and outside a class.
  void common_escape(char c) {
    static constexpr std::string_view kSame = "sSdDnrtfea";
    if (c == 'p' || c == 'P') return property(c);
    if (c == 'x' || c == 'u') return code_point(c);
    if (c == 'v') return emit("\\x0B");
    const bool is_ascii = static_cast<std::uint8_t>(c) < 0x80;
    if (kSame.find(c) == std::string_view::npos && (is_letter(c) || is_digit(c))) unsupported(fmt::format("\\{}", c));
    if (is_ascii) emit('\\');
    emit(c);
  }

  void property(char c) {
    if (!take_if("{")) unsupported(fmt::format("\\{} without braces", c));
    const bool negated = take_if("^");
    const std::size_t start = next_;
    while (take() != '}') {
    }
    const std::string_view name = pattern_.substr(start, next_ - 1 - start);
    const bool is_name = std::ranges::all_of(name, [](char n) { return is_letter(n) || is_digit(n) || n == '_'; });
    if (name.empty() || !is_name) unsupported(pattern_.substr(item_, next_ - item_));
    emit(fmt::format("\\{}{{{}{}{}}}", c, negated ? "^" : "", is_script(name) ? "sc:" : "", name));
  }

  // \uHHHH, \xHH (a byte to Oniguruma: only ASCII is a character) and \x{H...}.
  void code_point(char kind) {
    const bool in_braces = kind == 'x' && take_if("{");
    const std::size_t most = kind == 'u' ? 4 : in_braces ? 8 : 2;
    std::string digits;
    while (!at_end() && digits.size() < most && is_hex(pattern_[next_])) digits += take();
    const bool complete = kind == 'u' ? digits.size() == 4 : !digits.empty();
    const bool is_byte = kind == 'x' && !in_braces && digits.size() == 2 && digits[0] >= '8';
    if (!complete || is_byte || (in_braces && !take_if("}"))) unsupported(pattern_.substr(item_, next_ - item_));
    emit(fmt::format("\\x{{{}}}", digits));
  }

  void character_class() {
    const std::size_t start = item_;
    emit('[');
    if (take_if("^")) emit('^');
    if (take_if("]")) emit("\\]");  // first in a class, it is a member
    for (;;) {
      if (at_end()) throw RegexError("missing ]", start);
      item_ = next_;
      const char c = take();
      if (c == ']') break;
      if (c == '[') unsupported("[ inside a class");
      if (c == '&' && looking_at("&")) unsupported("&& inside a class");
      if (c == '\\') {
        class_escape();
      } else {
        emit(c);
      }
    }
    emit(']');
  }

  void class_escape() {
    const char c = take();
    if (c == 'w') return emit(kClassWordMembers);
    if (c == 'h') return emit(kHexMembers);
    common_escape(c);
  }

  std::string_view pattern_;
  std::size_t next_ = 0;  // in pattern_
  std::size_t item_ = 0;  // where the current item of pattern_ starts
  Pcre2Pattern result_;
  std::vector<std::size_t> groups_;  // where open groups start in the result
  std::optional<std::size_t> atom_;  // where the last repeatable item starts in the result
};

}  // namespace

Pcre2Pattern translate_regex(std::string_view pattern) { return Translator(pattern).run(); }

}  // namespace specthink::inline text
