// Upper and title case with Unicode's special mappings, where one character becomes several.
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <utility>

#include "specthink/base/lowercase.h"
#include "text/jinja_unicode.h"

namespace specthink::jinja {
namespace {

// SpecialCasing.txt without the Greek letters U+1F80..U+1FAF, which follow a rule (see special_upper).
constexpr std::array<std::pair<char32_t, std::u32string_view>, 54> kSpecialUpper{{
    {0xDF, U"SS"},
    {0x149, U"\u02BCN"},
    {0x1F0, U"J\u030C"},
    {0x390, U"\u0399\u0308\u0301"},
    {0x3B0, U"\u03A5\u0308\u0301"},
    {0x587, U"\u0535\u0552"},
    {0x1E96, U"H\u0331"},
    {0x1E97, U"T\u0308"},
    {0x1E98, U"W\u030A"},
    {0x1E99, U"Y\u030A"},
    {0x1E9A, U"A\u02BE"},
    {0x1F50, U"\u03A5\u0313"},
    {0x1F52, U"\u03A5\u0313\u0300"},
    {0x1F54, U"\u03A5\u0313\u0301"},
    {0x1F56, U"\u03A5\u0313\u0342"},
    {0x1FB2, U"\u1FBA\u0399"},
    {0x1FB3, U"\u0391\u0399"},
    {0x1FB4, U"\u0386\u0399"},
    {0x1FB6, U"\u0391\u0342"},
    {0x1FB7, U"\u0391\u0342\u0399"},
    {0x1FBC, U"\u0391\u0399"},
    {0x1FC2, U"\u1FCA\u0399"},
    {0x1FC3, U"\u0397\u0399"},
    {0x1FC4, U"\u0389\u0399"},
    {0x1FC6, U"\u0397\u0342"},
    {0x1FC7, U"\u0397\u0342\u0399"},
    {0x1FCC, U"\u0397\u0399"},
    {0x1FD2, U"\u0399\u0308\u0300"},
    {0x1FD3, U"\u0399\u0308\u0301"},
    {0x1FD6, U"\u0399\u0342"},
    {0x1FD7, U"\u0399\u0308\u0342"},
    {0x1FE2, U"\u03A5\u0308\u0300"},
    {0x1FE3, U"\u03A5\u0308\u0301"},
    {0x1FE4, U"\u03A1\u0313"},
    {0x1FE6, U"\u03A5\u0342"},
    {0x1FE7, U"\u03A5\u0308\u0342"},
    {0x1FF2, U"\u1FFA\u0399"},
    {0x1FF3, U"\u03A9\u0399"},
    {0x1FF4, U"\u038F\u0399"},
    {0x1FF6, U"\u03A9\u0342"},
    {0x1FF7, U"\u03A9\u0342\u0399"},
    {0x1FFC, U"\u03A9\u0399"},
    {0xFB00, U"FF"},
    {0xFB01, U"FI"},
    {0xFB02, U"FL"},
    {0xFB03, U"FFI"},
    {0xFB04, U"FFL"},
    {0xFB05, U"ST"},
    {0xFB06, U"ST"},
    {0xFB13, U"\u0544\u0546"},
    {0xFB14, U"\u0544\u0535"},
    {0xFB15, U"\u0544\u053B"},
    {0xFB16, U"\u054E\u0546"},
    {0xFB17, U"\u0544\u053D"},
}};

// Empty when the simple mapping holds.
std::u32string special_upper(char32_t code) {
  if (code >= 0x1F80 && code <= 0x1FAF) {  // alpha, eta, omega with iota subscript: the capital and a capital iota
    constexpr std::array<char32_t, 3> kCapitals{0x1F08, 0x1F28, 0x1F68};
    return {kCapitals[(code - 0x1F80) / 16] + code % 8, U'\u0399'};
  }
  const auto found = std::lower_bound(kSpecialUpper.begin(), kSpecialUpper.end(), code,
                                      [](const auto& entry, char32_t wanted) { return entry.first < wanted; });
  if (found == kSpecialUpper.end() || found->first != code) return {};
  return std::u32string(found->second);
}

std::string title_of(char32_t code) {
  const auto simple = static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(code)));
  const bool has_title_letter =
      code >= 0x1F80 &&
      (simple != code || utf8proc_category(static_cast<utf8proc_int32_t>(code)) == UTF8PROC_CATEGORY_LT);
  const std::u32string upper = has_title_letter ? std::u32string() : special_upper(code);
  if (upper.empty()) return to_utf8(std::u32string(1, simple));
  const std::size_t capitals = code == 0x149 ? 2 : 1;  // the apostrophe of U+0149 is no letter
  return to_utf8(upper.substr(0, capitals)) + lowercase(to_utf8(upper.substr(capitals)));
}

}  // namespace

std::string uppercase(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const char32_t code = next_code_point(text, i);
    const std::u32string special = code < 0xDF ? std::u32string() : special_upper(code);
    if (special.empty()) {
      append_utf8(result, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(code))));
    } else {
      result += to_utf8(special);
    }
  }
  return result;
}

std::string capitalize(std::string_view text) {
  if (text.empty()) return "";
  std::size_t end = 0;
  const char32_t first = next_code_point(text, end);
  // All is made lower case together: a sigma at a word's end depends on what precedes it.
  return title_of(first) + lowercase(text).substr(lowercase(text.substr(0, end)).size());
}

std::string title(std::string_view text) {
  std::string result;
  bool inside_word = false;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = i;
    const char32_t code = next_code_point(text, i);
    result += inside_word ? lowercase(text.substr(start, i - start)) : title_of(code);
    inside_word = is_upper(code) || is_lower(code) ||
                  utf8proc_category(static_cast<utf8proc_int32_t>(code)) == UTF8PROC_CATEGORY_LT;
  }
  return result;
}

}  // namespace specthink::jinja
