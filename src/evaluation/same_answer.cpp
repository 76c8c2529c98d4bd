// Answers as people write them: normalised text, and numbers as exact fractions.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "evaluation/letters.h"
#include "specthink/evaluation/answer.h"

namespace specthink::inline evaluation {
namespace {

constexpr std::size_t kMaxAnswer = 4096;  // bytes; longer ones are no answers and compared as they are

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// Replaces a command, but no longer command that begins with its name.
void replace_command(std::string& text, std::string_view command, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(command, at)) != std::string::npos;) {
    const std::size_t end = at + command.size();
    if (end < text.size() && is_letter(text[end])) {
      at = end;
    } else {
      text.replace(at, command.size(), to);
      at += to.size();
    }
  }
}

// Length of the `{...}` that begins `text`, both braces included; 0 when there is none.
std::size_t group_length(std::string_view text) {
  if (text.empty() || text.front() != '{') return 0;
  std::size_t depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return i + 1;
  }
  return 0;
}

// True when `text` is at most an exponent, blanks and full stops.
bool ends_here(std::string_view text) {
  if (text.starts_with('^')) {
    text.remove_prefix(1);
    const std::size_t exponent = group_length(text);
    text.remove_prefix(exponent > 0 ? exponent : std::min<std::size_t>(1, text.size()));
  }
  return text.find_first_not_of(" \t\r\n.") == std::string_view::npos;
}

// `\text{east}` becomes `east`. Set off by a space at the end of a value, words are a unit and go, exponent included.
std::string strip_words(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    std::size_t length = 0;
    std::size_t name = 0;
    for (const std::string_view command : {"\\text", "\\mbox", "\\mathrm", "\\textbf"}) {
      if (!text.starts_with(command)) continue;
      length = group_length(text.substr(command.size()));
      name = command.size();
      if (length > 0) break;
    }
    if (length == 0) {
      result += text.front();
      text.remove_prefix(1);
      continue;
    }
    const std::string_view words = text.substr(name + 1, length - 2);
    text.remove_prefix(name + length);
    const bool set_off = (!words.empty() && is_blank(words.front())) || (!result.empty() && is_blank(result.back()));
    const std::size_t value_end = result.find_last_not_of(" \t\r\n");
    const bool has_value = value_end != std::string::npos && (is_digit(result[value_end]) || result[value_end] == '}');
    if (set_off && has_value && ends_here(text)) break;
    result += words;
  }
  return result;
}

// The argument of a command that begins `text` (`{...}` or one character), its braces taken off; empty at the end.
std::string_view take_argument(std::string_view& text) {
  std::size_t length = group_length(text);
  std::string_view argument;
  if (length > 0) {
    argument = text.substr(1, length - 2);
  } else if (!text.empty() && (is_digit(text.front()) || is_letter(text.front()))) {
    length = 1;
    argument = text.substr(0, 1);
  }
  text.remove_prefix(length);
  return argument;
}

// `\frac12` and `\sqrt2` with braces. Blanks are gone already.
std::string brace_arguments(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    std::size_t arguments = 0;
    for (const auto& [command, count] : {std::pair{std::string_view("\\frac"), 2}, {std::string_view("\\sqrt"), 1}}) {
      if (!text.starts_with(command)) continue;
      if (command.size() < text.size() && is_letter(text[command.size()]) && command != "\\sqrt") continue;
      arguments = static_cast<std::size_t>(count);
      result += command;
      text.remove_prefix(command.size());
      break;
    }
    for (; arguments > 0; --arguments) {
      const std::string_view argument = take_argument(text);
      if (!argument.empty()) result.append("{").append(brace_arguments(argument)).append("}");
    }
    if (text.empty()) break;
    result += text.front();
    text.remove_prefix(1);
  }
  return result;
}

std::string normalise(std::string_view answer) {
  std::string text(answer);
  replace_all(text, "\xE2\x88\x92", "-");  // U+2212
  replace_all(text, "\xC2\xB0", "");       // the degree sign
  replace_all(text, "\\$", "");
  replace_all(text, "$", "");
  replace_all(text, "\\%", "");
  replace_all(text, "%", "");
  replace_all(text, "^{\\circ}", "");
  replace_all(text, "^\\circ", "");
  replace_all(text, "{,}", ",");
  for (const std::string_view fraction : {"\\dfrac", "\\tfrac", "\\cfrac"}) replace_all(text, fraction, "\\frac");
  for (const std::string_view command : {"\\left", "\\right", "\\displaystyle"}) replace_command(text, command, "");
  for (std::size_t at = 0; (at = text.find("\\!", at)) != std::string::npos;) {  // `1,\! 234` has no space to see
    std::size_t end = at + 2;
    while (end < text.size() && is_blank(text[end])) ++end;
    text.erase(at, end - at);
  }
  text = strip_words(text);
  for (const std::string_view space : {"\\,", "\\;", "\\:", "\\ ", "~"}) replace_all(text, space, " ");
  replace_command(text, "\\quad", " ");

  // A comma with a space behind it separates values: `3, 500` is no thousand.
  std::string compact;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_blank(text[i])) continue;
    compact += text[i];
    if (text[i] == ',' && i + 1 < text.size() && is_blank(text[i + 1])) compact += ' ';
  }
  while (!compact.empty() && (compact.back() == '.' || compact.back() == ' ')) compact.pop_back();
  if (compact.size() > 2 && is_letter(compact[0]) && compact[1] == '=') compact.erase(0, 2);
  return brace_arguments(compact);
}

// A fraction in lowest terms is not needed: two are compared by cross multiplication.
struct Fraction {
  __int128 numerator = 0;
  __int128 denominator = 1;
};

// With these bounds, numerators and denominators stay below 10^19 and cross multiplication inside 128 bits.
constexpr std::size_t kMaxDigits = 18;
constexpr std::int64_t kMaxPart = 1'000'000'000;  // of a quotient or a mixed number

bool is_small(const Fraction& value) {
  return value.numerator <= kMaxPart && value.numerator >= -kMaxPart && value.denominator <= kMaxPart;
}

std::optional<Fraction> divide(const std::optional<Fraction>& above, const std::optional<Fraction>& below) {
  if (!above || !below || below->numerator == 0 || !is_small(*above) || !is_small(*below)) return std::nullopt;
  return Fraction{above->numerator * below->denominator, above->denominator * below->numerator};
}

// Takes `digits` with thousands commas, `digits.digits` or `.digits` off the front; null when there is none.
std::optional<Fraction> take_decimal(std::string_view& text) {
  std::string digits;
  std::size_t i = 0;
  bool grouped = false;
  for (; i < text.size(); ++i) {
    if (is_digit(text[i])) {
      digits += text[i];
      continue;
    }
    const bool groups_of_three = text[i] == ',' && i > 0 && i + 3 < text.size() && is_digit(text[i + 1]) &&
                                 is_digit(text[i + 2]) && is_digit(text[i + 3]) &&
                                 (i + 4 >= text.size() || !is_digit(text[i + 4])) && (grouped || digits.size() <= 3);
    if (!groups_of_three) break;
    grouped = true;
  }
  std::size_t decimals = 0;
  if (i + 1 < text.size() && text[i] == '.' && is_digit(text[i + 1])) {
    for (++i; i < text.size() && is_digit(text[i]); ++i, ++decimals) digits += text[i];
    for (; decimals > 0 && digits.back() == '0'; --decimals) digits.pop_back();
  }
  if (digits.empty() && i == 0) return std::nullopt;
  const std::size_t zeros = std::min(digits.find_first_not_of('0'), digits.size());
  if (digits.size() - zeros > kMaxDigits || decimals > kMaxDigits) return std::nullopt;
  Fraction value;
  for (const char digit : digits) value.numerator = value.numerator * 10 + (digit - '0');
  for (; decimals > 0; --decimals) value.denominator *= 10;
  text.remove_prefix(i);
  return value;
}

// Takes `\frac{a}{b}` with decimals inside off the front.
std::optional<Fraction> take_fraction(std::string_view& text) {
  constexpr std::string_view kCommand = "\\frac";
  if (!text.starts_with(kCommand)) return std::nullopt;
  std::string_view rest = text.substr(kCommand.size());
  const auto parse_part = [](std::string_view part) -> std::optional<Fraction> {
    const bool negative = part.starts_with('-');
    if (negative || part.starts_with('+')) part.remove_prefix(1);
    std::optional<Fraction> value = take_decimal(part);
    if (!part.empty()) return std::nullopt;
    if (value && negative) value->numerator = -value->numerator;
    return value;
  };
  const std::optional<Fraction> above = parse_part(take_argument(rest));
  const std::optional<Fraction> below = parse_part(take_argument(rest));
  const std::optional<Fraction> value = divide(above, below);
  if (value) text = rest;
  return value;
}

std::optional<Fraction> parse_number(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::optional<Fraction> value = take_fraction(text);
  if (!value && (value = take_decimal(text)) && !text.empty()) {
    if (text.front() == '/') {
      text.remove_prefix(1);
      value = divide(value, take_decimal(text));
    } else if (value->denominator == 1) {
      const std::optional<Fraction> part = take_fraction(text);  // a mixed number
      if (!part || part->numerator < 0 || part->denominator < 0 || !is_small(*value) || !is_small(*part)) {
        return std::nullopt;
      }
      value = Fraction{value->numerator * part->denominator + part->numerator, part->denominator};
    }
  }
  if (!value || !text.empty()) return std::nullopt;
  if (negative) value->numerator = -value->numerator;
  return value;
}

}  // namespace

bool same_answer(std::string_view given, std::string_view expected) {
  if (given.size() > kMaxAnswer || expected.size() > kMaxAnswer) return given == expected;
  std::string a = normalise(given);
  std::string b = normalise(expected);
  const std::optional<Fraction> x = parse_number(a);
  const std::optional<Fraction> y = parse_number(b);
  if (x && y) return x->numerator * y->denominator == y->numerator * x->denominator;
  std::erase(a, ' ');
  std::erase(b, ' ');
  return !a.empty() && a == b;
}

}  // namespace specthink::inline evaluation
