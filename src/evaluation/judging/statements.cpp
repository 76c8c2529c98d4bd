#include "evaluation/judging/statements.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "evaluation/letters.h"
#include "evaluation/math/syntax/names.h"

namespace specthink::inline evaluation {
namespace {

constexpr std::size_t kMaxFiller = 80;     // bytes between "answer" and "is"
constexpr std::size_t kMaxContent = 4096;  // bytes of an answer
constexpr std::size_t kMaxChoice = 200;    // bytes between a marker and its letter
constexpr int kMaxEmptyStatements = 100;   // after which a text states nothing

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool starts_with_word(std::string_view text, std::string_view word) {
  if (text.size() < word.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (lower(text[i]) != word[i]) return false;
  }
  return text.size() == word.size() || !is_letter(text[word.size()]);
}

// Takes off what stands between a marker and its answer: blanks, emphasis, colons and the given words.
template <class Words>
std::string_view without_filler(std::string_view text, const Words& words) {
  for (bool again = true; again;) {
    again = false;
    while (!text.empty() &&
           (is_blank(text[0]) || text[0] == '*' || text[0] == ':' || text[0] == '_' || text[0] == '#')) {
      text.remove_prefix(1);
    }
    for (const std::string_view word : words) {
      const bool is_ascii = static_cast<unsigned char>(word[0]) < 0x80;
      if (is_ascii ? !starts_with_word(text, word) : !text.starts_with(word)) continue;
      text.remove_prefix(word.size());
      again = true;
    }
  }
  return text;
}

constexpr std::array<std::string_view, 20> kFiller{
    "is",     "are",   "therefore", "thus",          "then",  "hence",   "simply", "just", "equal", "exactly",
    "indeed", "given", "by",        "approximately", "about", "clearly", "是",     "为",   "应",    "："};

// Where the answer begins behind "answer" at the start of `text`; npos: it states none.
std::size_t statement_length(std::string_view text, bool is_final) {
  std::size_t i = std::string_view("answer").size();
  if (i < text.size() && lower(text[i]) == 's') ++i;
  std::size_t end = i;
  while (end < text.size() && (text[end] == '*' || text[end] == ' ' || text[end] == '_')) ++end;
  if (end < text.size() && text[end] == ':') return end + 1;
  if (text.substr(end).starts_with("：")) return end + std::string_view("：").size();
  if (is_final && end < text.size() && text[end] == '\n') return end + 1;
  const std::string_view rest = text.substr(0, std::min(text.size(), i + kMaxFiller));
  for (std::size_t at = i; at < rest.size() && rest[at] != '\n' && rest[at] != '.'; ++at) {
    if (rest[at] != ' ') continue;
    for (const std::string_view verb : {"is", "are"}) {
      if (starts_with_word(text.substr(at + 1), verb)) return at + 1 + verb.size();
    }
  }
  return std::string_view::npos;
}

// One sentence or formula from the start of `text`.
std::string_view first_sentence(std::string_view text) {
  struct Quotes {
    std::string_view open, close;
  };
  for (const Quotes& quotes : {Quotes{"$$", "$$"}, {"\\[", "\\]"}, {"\\(", "\\)"}, {"$", "$"}}) {
    if (!text.starts_with(quotes.open)) continue;
    const std::size_t end = text.find(quotes.close, quotes.open.size());
    if (end == std::string_view::npos) break;
    const std::string_view formula = text.substr(quotes.open.size(), end - quotes.open.size());
    if (quotes.open == "$" && formula.find('\n') != std::string_view::npos) break;  // an amount of money
    std::string_view behind = text.substr(end + quotes.close.size());
    while (!behind.empty() && behind[0] == ' ') behind.remove_prefix(1);
    const bool goes_on = behind.starts_with(", $") || behind.starts_with(", \\(") || starts_with_word(behind, "and") ||
                         starts_with_word(behind, "or");
    if (!goes_on) return formula;
    break;
  }
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    const std::string_view rest = text.substr(end);
    if (rest[0] == '\n' || rest.starts_with("**") || rest.starts_with("。")) break;
    const bool is_stop = rest[0] == '.' || rest[0] == '!';
    if (is_stop && (rest.size() == 1 || is_blank(rest[1]) || rest[1] == '*')) break;
  }
  return text.substr(0, end);
}

// "that there are 17 apples" says 17 apples.
std::string_view from_value(std::string_view content) {
  std::size_t end = 0;
  while (end < content.size() && is_letter(content[end])) ++end;
  const std::string_view word = content.substr(0, end);
  if (word.size() < 2 || !command_of_word(word).empty() || (end < content.size() && content[end] == '('))
    return content;
  const std::size_t value = content.find_first_of("0123456789$\\");
  if (value == std::string_view::npos) return content;
  return content.substr(value > 0 && content[value - 1] == '-' ? value - 1 : value);
}

// `12, because ...`, `12 since ...`, `12 (see above)` say 12.
std::string_view without_clause(std::string_view content) {
  for (std::size_t i = 1; i + 1 < content.size(); ++i) {
    if (content[i] != ' ' && content[i] != ',') continue;
    std::string_view rest = content.substr(i + 1);
    const bool begins_part = content[i] == ',' || rest[0] == '(';
    while (!rest.empty() && (rest[0] == ' ' || rest[0] == '(')) rest.remove_prefix(1);
    std::size_t end = 0;
    while (end < rest.size() && rest[end] >= 'a' && rest[end] <= 'z') ++end;
    const std::string_view word = rest.substr(0, end);
    const bool ends_word = end == rest.size() || rest[end] == ' ';
    const bool joins = word == "and" || word == "or" || word == "mod" || !command_of_word(word).empty();
    if (begins_part && ends_word && word.size() >= 3 && !joins) return content.substr(0, i);
    for (const std::string_view conjunction : {"because", "since", "which", "where", "when", "if", "as", "so"}) {
      if (word == conjunction && ends_word) return content.substr(0, i);
    }
  }
  return content;
}

std::string_view trim_sentence(std::string_view text) {
  constexpr std::string_view kAround = " \t\r\n.,;";
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  const std::size_t end = text.find_last_not_of(kAround);
  return end == std::string_view::npos || end < begin ? std::string_view() : text.substr(begin, end - begin + 1);
}

bool is_choice(char c, int num_choices) { return c >= 'A' && c < 'A' + num_choices; }

constexpr std::array<std::string_view, 24> kChoiceFiller{
    "is",   "are",    "therefore", "thus",  "hence", "the",    "correct", "best", "right", "option", "choice", "letter",
    "must", "answer", "be",        "would", "most",  "likely", "clearly", "then", "是",    "为",     "选",     "："};

}  // namespace

std::optional<std::string> last_statement(std::string_view text) {
  const auto stated = [](std::string_view behind) -> std::optional<std::string> {
    const std::string_view sentence = first_sentence(without_filler(behind.substr(0, kMaxContent), kFiller));
    const std::string_view content = trim_sentence(without_clause(from_value(trim_sentence(sentence))));
    return content.empty() ? std::nullopt : std::optional(std::string(content));
  };
  // From the end, so that a text full of statements is read once.
  int empty_statements = 0;
  for (std::size_t i = text.size(); i-- > 0 && empty_statements < kMaxEmptyStatements;) {
    std::size_t length = std::string_view::npos;
    const std::string_view rest = text.substr(i);
    if (lower(text[i]) == 'a' && (i == 0 || !is_letter(text[i - 1]))) {
      if (!starts_with_word(rest, "answer") && !starts_with_word(rest, "answers")) continue;
      const bool is_final = i >= 6 && starts_with_word(text.substr(i - 6), "final");
      length = statement_length(rest, is_final);
    } else if (rest.starts_with("答案")) {
      length = std::string_view("答案").size();
    }
    if (length == std::string_view::npos) continue;
    if (auto content = stated(rest.substr(length))) return content;
    ++empty_statements;
  }
  return std::nullopt;
}

std::optional<std::string> last_number(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0 && !is_digit(text[end - 1])) --end;
  if (end == 0) return std::nullopt;
  const auto begin_of = [&](std::size_t end_of_number) {
    std::size_t begin = end_of_number;
    while (begin > 0) {
      const char c = text[begin - 1];
      const bool joins = (c == ',' || c == '.') && begin >= 2 && is_digit(text[begin - 2]) && is_digit(text[begin]);
      const bool is_point = c == '.' && begin < end_of_number && is_digit(text[begin]);
      if (!is_digit(c) && !joins && !is_point) break;
      --begin;
    }
    return begin;
  };
  std::size_t begin = begin_of(end);
  if (begin >= 2 && text[begin - 1] == '/' && is_digit(text[begin - 2])) begin = begin_of(begin - 1);
  constexpr std::string_view kMinus = "\xE2\x88\x92";
  const auto is_sign_at = [&](std::size_t at) {
    if (at == 0) return true;
    const char before = text[at - 1];
    return !is_digit(before) && !is_letter(before) && before != ')' && before != '}';
  };
  bool is_negative = begin > 0 && text[begin - 1] == '-' && is_sign_at(begin - 1);
  if (begin >= kMinus.size() && text.substr(begin - kMinus.size(), kMinus.size()) == kMinus) {
    is_negative = is_sign_at(begin - kMinus.size());
  }
  return (is_negative ? "-" : "") + std::string(text.substr(begin, std::min(end - begin, kMaxContent)));
}

std::optional<char> leading_choice(std::string_view content, int num_choices) {
  std::string_view rest = without_filler(content.substr(0, kMaxChoice), kChoiceFiller);
  while (!rest.empty() && (rest[0] == '(' || rest[0] == '[' || rest[0] == '$' || rest[0] == '{' || is_blank(rest[0]))) {
    rest.remove_prefix(1);
  }
  if (rest.starts_with("\\")) {  // \text{B}, \mathrm{(B)}, \(B\)
    std::size_t end = 1;
    while (end < rest.size() && is_letter(rest[end])) ++end;
    if (end > 1 && (end == rest.size() || rest[end] != '{')) return std::nullopt;
    return leading_choice(rest.substr(std::min(end + 1, rest.size())), num_choices);
  }
  if (rest.empty() || !is_choice(rest[0], num_choices)) return std::nullopt;
  const std::string_view behind = rest.substr(1);
  if (!behind.empty() && (is_letter(behind[0]) || is_digit(behind[0]) || behind[0] == '\'' || behind[0] == '_')) {
    return std::nullopt;
  }
  // Two letters are no choice.
  const std::string_view next = trim_sentence(behind);
  for (const std::string_view joint : {"and ", "or ", ", ", "& "}) {
    if (next.size() == joint.size() + 1 && next.starts_with(joint) && is_choice(next.back(), num_choices))
      return std::nullopt;
  }
  return rest[0];
}

std::optional<char> last_choice(std::string_view text, int num_choices) {
  std::optional<char> stated;  // the answer is B
  std::optional<char> named;   // option B
  std::optional<char> letter;  // a letter by itself
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    for (const std::string_view marker : {"答案", "选"}) {
      if (!rest.starts_with(marker)) continue;
      if (const auto choice = leading_choice(rest.substr(marker.size()), num_choices)) stated = choice;
    }
    if (i > 0 && (is_letter(text[i - 1]) || is_digit(text[i - 1]))) continue;
    for (const std::string_view marker : {"answer", "option", "choice", "choose", "select", "pick"}) {
      if (!starts_with_word(rest, marker)) continue;
      const std::string_view behind = rest.substr(marker.size());
      const std::size_t verb = statement_length("answer" + std::string(behind.substr(0, kMaxFiller)), true);
      if (verb != std::string_view::npos) {
        const std::size_t skipped = std::min(verb - std::string_view("answer").size(), behind.size());
        if (const auto choice = leading_choice(behind.substr(skipped), num_choices)) stated = choice;
      }
      if (const auto choice = leading_choice(behind, num_choices)) named = choice;
    }
    const bool ends = rest.size() < 2 || (!is_letter(rest[1]) && !is_digit(rest[1]) && rest[1] != '\'');
    if (is_choice(rest[0], num_choices) && ends) {
      const bool is_word =
          (rest[0] == 'A' || rest[0] == 'I') && rest.size() > 2 && rest[1] == ' ' && is_letter(rest[2]);
      if (!is_word) letter = rest[0];
    }
  }
  return stated ? stated : named ? named : letter;
}

}  // namespace specthink::inline evaluation
