#include "text/pipeline/unicode_forms.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "specthink/base/error.h"
#include "specthink/base/utf8.h"
#include "text/unicode_versions.h"

namespace specthink::inline text {
namespace {

using CodePoints = std::vector<utf8proc_int32_t>;

bool is_compatible(UnicodeForm form) { return form == UnicodeForm::nfkc || form == UnicodeForm::nfkd; }
bool composes(UnicodeForm form) { return form == UnicodeForm::nfc || form == UnicodeForm::nfkc; }

// The decomposition of one character, appended.
void decompose(char32_t code, UnicodeForm form, CodePoints& result) {
  std::array<utf8proc_int32_t, 32> buffer{};
  int last_boundary = 0;
  const utf8proc_ssize_t count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code), buffer.data(), buffer.size(),
                              static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
                                                             (is_compatible(form) ? UTF8PROC_COMPAT : 0)),
                              &last_boundary);
  check(count >= 0 && static_cast<std::size_t>(count) <= buffer.size(), "a character decomposes into at most 32");
  result.insert(result.end(), buffer.begin(), buffer.begin() + count);
}

int combining_class(utf8proc_int32_t code) { return utf8proc_get_property(code)->combining_class; }

// Sorts every run of combining marks by class. utf8proc_map does the same, but in quadratic time.
void order_canonically(CodePoints& points) {
  for (auto begin = points.begin(); begin != points.end();) {
    if (combining_class(*begin) == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, points.end(), [](auto code) { return combining_class(code) == 0; });
    std::stable_sort(begin, end, [](auto a, auto b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
}

// Nothing is reordered or composed across such a character. U+11A7 is the code point before the first trailing
// consonant of Hangul: no consonant itself, but utf8proc (2.8) lets a syllable swallow it.
bool is_inert(char32_t code) { return code == 0x11A7 || inert_in_reference_nfc(code); }

// Moves `points`, or what they compose to, into `result`.
void flush(CodePoints& points, UnicodeForm form, std::string& result) {
  order_canonically(points);
  auto count = static_cast<utf8proc_ssize_t>(points.size());
  if (composes(form)) {
    count = utf8proc_normalize_utf32(points.data(), count,
                                     static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  }
  check(count >= 0, "utf8proc composes valid text");
  for (const auto code : std::span(points).first(static_cast<std::size_t>(count))) {
    append_utf8(result, static_cast<char32_t>(code));
  }
  points.clear();
}

// ASCII is its own form in each; below U+0300 characters are their own NFC and take part in nothing, unless a combining
// mark follows.
bool is_trivial(std::string_view text, UnicodeForm form) {
  const unsigned char first_special = form == UnicodeForm::nfc ? 0xCC : 0x80;
  return std::ranges::all_of(text, [&](char byte) { return static_cast<unsigned char>(byte) < first_special; });
}

}  // namespace

std::string normalize(std::string_view text, UnicodeForm form) {
  if (is_trivial(text, form)) return std::string(text);
  std::string result;
  result.reserve(text.size());
  CodePoints points;
  while (!text.empty()) {
    const Utf8Char character = next_utf8(text);
    if (is_inert(character.code)) {
      flush(points, form, result);
      append_utf8(result, character.code);
    } else {
      decompose(character.code, form, points);
    }
    text.remove_prefix(character.length);
  }
  flush(points, form, result);
  return result;
}

}  // namespace specthink::inline text
