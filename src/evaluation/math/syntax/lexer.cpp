#include "evaluation/math/syntax/lexer.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "evaluation/letters.h"
#include "evaluation/math/syntax/names.h"
#include "evaluation/math/syntax/unicode.h"

namespace specthink::inline evaluation {
namespace {

constexpr std::size_t kMaxTokens = 2000;
constexpr std::size_t kMaxDigits = 2000;
constexpr int kMaxNesting = 8;  // of text commands in text commands

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string_view trim_around(std::string_view text) {
  constexpr std::string_view kAround = " \t\r\n~";
  const std::size_t begin = text.find_first_not_of(kAround);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kAround) - begin + 1);
}

// Words of a sentence that goes on behind a value: 7 of them.
bool is_preposition(std::string_view word) {
  constexpr std::array<std::string_view, 8> kWords{"of", "per", "each", "for", "the", "with", "are", "is"};
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

class Lexer {
 public:
  Lexer(Comma comma, std::vector<Token>& tokens) : comma_(comma), tokens_(tokens) {}

  bool run(std::string_view text, bool in_words, int nesting) {
    if (nesting > kMaxNesting) return false;
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t length = take(text.substr(i), in_words, nesting);
      if (length == 0 || tokens_.size() > kMaxTokens) return false;
      i += length;
    }
    return true;
  }

 private:
  void add(TokenKind kind, std::string_view text) {
    tokens_.push_back({kind, std::string(text), space_});
    space_ = false;
  }

  // Length of what begins `text`; 0 for a failure.
  std::size_t take(std::string_view text, bool in_words, int nesting) {
    const char c = text[0];
    if (is_blank(c) || c == '~') {
      space_ = true;
      return 1;
    }
    if (is_digit(c) || (c == '.' && text.size() > 1 && is_digit(text[1]))) return take_number(text);
    if (c == '\\') return take_command(text, nesting);
    if (is_letter(c)) return take_letters(text, in_words);
    if (c == '$' || c == '`' || c == '"') return 1;
    if (c == '{') {
      if (text.starts_with("{,}")) {
        add(TokenKind::separator, ",");
        return 3;
      }
    }
    if (c == '^') {
      if (const std::size_t length = degree_length(text)) {
        add(TokenKind::command, "degree");
        return length;
      }
    }
    if (c == '(' || c == '[') ++depth_;
    if (c == ')' || c == ']') --depth_;
    if (c == ',' || c == ';') {
      add(TokenKind::separator, text.substr(0, 1));
    } else if (text.starts_with("<=") || text.starts_with(">=") || text.starts_with("!=")) {
      add(TokenKind::command, c == '<' ? "le" : c == '>' ? "ge" : "ne");
      return 2;
    } else if (text.starts_with("**") && !text.starts_with("***")) {
      add(TokenKind::sign, "^");
      return 2;
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      std::size_t end = 1;
      while (end < text.size() && static_cast<unsigned char>(text[end]) >= 0x80) ++end;
      add(TokenKind::text, text.substr(0, end));
      return end;
    } else {
      add(TokenKind::sign, text.substr(0, 1));
    }
    return 1;
  }

  static std::size_t degree_length(std::string_view text) {
    for (const std::string_view degree :
         {"^\\circ", "^{\\circ}", "^ \\circ", "^{ \\circ }", "^{\\circ }", "^o", "^\\degree"}) {
      if (!text.starts_with(degree)) continue;
      const bool goes_on = degree.size() < text.size() && is_letter(degree.back()) && is_letter(text[degree.size()]);
      if (!goes_on) return degree.size();
    }
    return 0;
  }

  // Length of a thousands separator with three digits behind it; 0: none.
  std::size_t group_length(std::string_view text) const {
    std::size_t length = 0;
    bool is_bare_comma = false;
    for (const std::string_view mark : {"{,}", ",\\!", ",\\,", "\\,", "\\!", "\\ ", ","}) {
      if (!text.starts_with(mark)) continue;
      length = mark.size();
      is_bare_comma = mark == ",";
      while (!is_bare_comma && length < text.size() && is_blank(text[length])) ++length;
      break;
    }
    if (length == 0 || (is_bare_comma && (depth_ > 0 || comma_ == Comma::separates))) return 0;
    if (length + 3 > text.size() || !std::all_of(text.begin() + length, text.begin() + length + 3, is_digit)) return 0;
    return length + 3 < text.size() && is_digit(text[length + 3]) ? 0 : length;
  }

  std::size_t take_number(std::string_view text) {
    std::string digits;
    std::size_t i = 0;
    while (i < text.size() && is_digit(text[i])) digits += text[i++];
    const bool may_group = !digits.empty() && digits.size() <= 3 && digits != "0";
    while (const std::size_t mark = may_group ? group_length(text.substr(i)) : 0) {
      digits += text.substr(i + mark, 3);
      i += mark + 3;
    }
    const bool has_decimals = i + 1 < text.size() && text[i] == '.' && is_digit(text[i + 1]);
    const bool ends_in_point = i < text.size() && text[i] == '.' && i + 1 == text.size();
    if (text.substr(i).starts_with(".\\overline{")) {
      digits += text[i++];
    } else if (has_decimals) {
      digits += text[i++];
      while (i < text.size() && is_digit(text[i])) digits += text[i++];
    } else if (ends_in_point) {
      ++i;  // a full stop
    }
    if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
      std::size_t end = i + 1;
      if (end < text.size() && (text[end] == '-' || text[end] == '+')) ++end;
      const std::size_t first = end;
      while (end < text.size() && is_digit(text[end])) ++end;
      if (end > first && end - first <= 4) {
        digits.append("e").append(text.substr(i + 1, end - i - 1));
        i = end;
      }
    }
    if (digits.size() > kMaxDigits) return 0;
    add(TokenKind::number, digits);
    return i;
  }

  // The `{...}` that begins `text` behind blanks: its content, and how far it goes; 0 when there is none.
  static std::size_t take_group(std::string_view text, std::string_view& content) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n*");
    if (begin == std::string_view::npos || text[begin] != '{') return 0;
    std::size_t depth = 0;
    for (std::size_t i = begin; i < text.size(); ++i) {
      if (text[i] == '\\') {
        ++i;
      } else if (text[i] == '{') {
        ++depth;
      } else if (text[i] == '}' && --depth == 0) {
        content = text.substr(begin + 1, i - begin - 1);
        return i + 1;
      }
    }
    return 0;
  }

  std::size_t take_command(std::string_view text, int nesting) {
    if (text.size() == 1) return 1;
    if (!is_letter(text[1])) {
      const char c = text[1];
      if (c == '\\') {
        add(TokenKind::command, "\\");
      } else if (c == ',' || c == ';' || c == ':' || c == ' ' || c == '\n' || c == '>') {
        space_ = true;
      } else if (c == '{' || c == '}') {
        depth_ += c == '{' ? 1 : -1;
        add(TokenKind::command, text.substr(1, 1));
      } else if (c == '%') {
        add(TokenKind::sign, "%");
      } else if (c == '|') {
        add(TokenKind::command, "Vert");
      } else if (c != '!' && c != '$' && c != '(' && c != ')' && c != '[' && c != ']') {
        add(TokenKind::sign, text.substr(1, 1));
      }
      return 2;
    }
    std::size_t end = 1;
    while (end < text.size() && is_letter(text[end])) ++end;
    const std::string_view name = text.substr(1, end - 1);
    if (name == "left" || name == "right") {  // with the dot that stands for no bracket
      const std::size_t next = text.find_first_not_of(' ', end);
      return next != std::string_view::npos && text[next] == '.' ? next + 1 : end;
    }
    if (is_layout_command(name)) return end;
    if (is_space_command(name)) {
      space_ = true;
      return end;
    }
    std::string_view content;
    if (name == "hspace" || name == "phantom" || name == "vspace") {
      space_ = true;
      return end + take_group(text.substr(end), content);
    }
    if (is_text_command(name) || is_font_command(name)) {
      const std::size_t length = take_group(text.substr(end), content);
      if (length == 0) return end;
      if (!take_words(content, is_text_command(name), nesting)) return 0;
      return end + length;
    }
    if (name == "mathbb" || name == "begin" || name == "end" || name == "overline" || name == "overrightarrow") {
      if (const std::size_t length = take_group(text.substr(end), content)) {
        if (name == "overline" && repeat_decimals(content)) return end + length;
        add(TokenKind::command, std::string(name) + "{" + std::string(trim_around(content)) + "}");
        return end + length;
      }
    }
    add_command(canonical_command(name));
    return end;
  }

  void add_command(std::string_view name) {
    if (name.empty()) return;
    const bool is_sign = name.size() == 1 && !is_letter(name[0]) && name != "{" && name != "}";
    if (name == "lbrace" || name == "{") ++depth_;
    if (name == "rbrace" || name == "}") --depth_;
    add(is_sign ? TokenKind::sign : TokenKind::command, name);
  }

  // 0.1\overline{36} is the literal 0.1r36, which parse_number() reads as a fraction.
  bool repeat_decimals(std::string_view content) {
    if (tokens_.empty() || tokens_.back().kind != TokenKind::number || space_) return false;
    if (content.empty() || content.size() > 30 || !std::all_of(content.begin(), content.end(), is_digit)) return false;
    std::string& number = tokens_.back().text;
    if (number.find('.') == std::string::npos) number += '.';
    number.append("r").append(content);
    return true;
  }

  // Where a letter is a unit rather than a variable.
  bool follows_value() const {
    if (tokens_.empty()) return false;
    const Token& last = tokens_.back();
    return last.kind == TokenKind::number || last.text == "}" || last.text == ")" || last.text == "degree";
  }

  // The content of a text or font command.
  bool take_words(std::string_view content, bool is_text, int nesting) {
    const std::string_view words = trim_around(content);
    if (words.size() < content.size()) space_ = true;
    const bool has_letter = std::any_of(words.begin(), words.end(), is_letter);
    const bool has_digit = std::any_of(words.begin(), words.end(), is_digit);
    const bool has_command = words.find('\\') != std::string_view::npos;
    bool done = true;
    if (!has_letter || has_digit || has_command) {
      done = run(words, /*in_words=*/true, nesting + 1);
    } else if (!is_text && words.size() == 1 && (!follows_value() || words == "i" || words == "e")) {
      add(TokenKind::letter, words);
    } else {
      add_words(words);
    }
    if (words.size() < content.size()) space_ = true;
    return done;
  }

  void add_words(std::string_view words) {
    std::string_view bare = words;
    while (!bare.empty() && (bare.back() == ',' || bare.back() == '.')) bare.remove_suffix(1);
    while (!bare.empty() && (bare.front() == ',' || bare.front() == ' ')) bare.remove_prefix(1);
    if (bare == "or" || bare == "and" || bare == "OR" || bare == "AND") {
      add(TokenKind::separator, "and");
    } else {
      add(TokenKind::text, bare.empty() ? words : bare);
    }
  }

  std::size_t take_letters(std::string_view text, bool in_words) {
    std::size_t end = 1;
    while (end < text.size() && is_letter(text[end])) ++end;
    const std::string_view run = text.substr(0, end);
    const bool behind_words = space_ && !tokens_.empty() && tokens_.back().kind == TokenKind::text;
    const bool is_times =
        run == "x" && space_ && follows_value() && text.size() > 2 && text[1] == ' ' && is_digit(text[2]);
    if (run == "or" || run == "and") {
      add(TokenKind::separator, "and");
    } else if (const std::string_view command = run.size() > 1 ? command_of_word(run) : ""; !command.empty()) {
      add(TokenKind::command, command);
    } else if (is_times) {
      add(TokenKind::command, "times");
    } else if (in_words || behind_words || (follows_value() && is_preposition(run)) || run.size() >= 4 ||
               (run.size() > 1 && follows_value() && !canonical_unit(run).empty())) {
      add(TokenKind::text, run);
    } else {
      for (const char letter : run) add(TokenKind::letter, std::string_view(&letter, 1));
    }
    return end;
  }

  Comma comma_;
  std::vector<Token>& tokens_;
  int depth_ = 0;  // of brackets
  bool space_ = false;
};

}  // namespace

std::optional<std::vector<Token>> tokenize_answer(std::string_view answer, Comma comma) {
  constexpr std::size_t kMaxAnswer = 4096;  // bytes
  if (answer.size() > kMaxAnswer) return std::nullopt;
  std::vector<Token> tokens;
  if (!Lexer(comma, tokens).run(without_unicode(trim_around(answer)), /*in_words=*/false, 0)) return std::nullopt;
  while (!tokens.empty() && (tokens.back().kind == TokenKind::separator || tokens.back().text == "." ||
                             tokens.back().text == "\\" || tokens.back().text == ":")) {
    tokens.pop_back();
  }
  tokens.push_back({});
  return tokens;
}

}  // namespace specthink::inline evaluation
