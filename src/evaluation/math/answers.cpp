// Two answers as people write them.
#include <algorithm>
#include <optional>
#include <string>

#include "evaluation/math/collections.h"
#include "evaluation/math/compare.h"
#include "evaluation/math/syntax/parser.h"
#include "evaluation/math/words.h"
#include "specthink/base/lowercase.h"

namespace specthink::inline evaluation {
namespace {

constexpr std::size_t kMaxAnswer = 4096;  // bytes; what is longer is no answer

// Without blanks, dollars and a full stop.
std::string as_written(std::string_view answer) {
  std::string text(answer);
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '$'; });
  while (!text.empty() && text.back() == '.') text.pop_back();
  return text;
}

bool is_listing(const std::optional<Node>& node) {
  return node && (is_collection(*node) || node->kind == NodeKind::tuple);
}

}  // namespace

Same compare_answers(std::string_view given, std::string_view known) {
  if (given.size() > kMaxAnswer || known.size() > kMaxAnswer) return same_if(given == known);
  const auto is_blank = [](std::string_view text) {
    return text.find_first_not_of(" \t\r\n$.,") == std::string_view::npos;
  };
  if (is_blank(given) || is_blank(known)) return Same::no;
  if (is_option(known)) {
    const auto letter = option_letter(given);
    return same_if(letter && letter == option_letter(known));
  }
  // Words on one side are enough: three plain letters are some where the other answer says so.
  if (const auto words = words_of(known)) return same_if(lowercase(visible_text(given)) == *words);
  if (const auto words = words_of(given); words && lowercase(visible_text(known)) == *words) return Same::yes;
  const auto a = parse_answer(given);
  const auto b = parse_answer(known);
  if (!a || !b) return as_written(given) == as_written(known) ? Same::yes : Same::unknown;
  Same same = same_value(*a, *b);
  if (same == Same::yes) return same;
  // 1,234 is a number, or two in a list where the other answer is one.
  const bool has_comma = given.find(',') != std::string_view::npos || known.find(',') != std::string_view::npos;
  if (has_comma && is_listing(a) != is_listing(b)) {
    const auto c = is_listing(a) ? a : parse_answer(given, Comma::separates);
    const auto d = is_listing(b) ? b : parse_answer(known, Comma::separates);
    if (c && d) same = same_value(*c, *d);
  }
  return same;
}

}  // namespace specthink::inline evaluation
