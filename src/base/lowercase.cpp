#include "specthink/base/lowercase.h"

#include <utf8proc.h>

#include "specthink/base/strings.h"
#include "specthink/base/utf8.h"

namespace specthink::inline base {
namespace {

constexpr char32_t kCapitalSigma = 0x3A3;
constexpr char32_t kSmallSigma = 0x3C3;
constexpr char32_t kFinalSigma = 0x3C2;
constexpr char32_t kCapitalIWithDot = 0x130;
constexpr std::string_view kSmallIWithDot = "i\u0307";  // the only character whose lower case is two

// Characters that the rule for a final sigma looks through (Unicode's Case_Ignorable): marks, formats, modifiers, and
// the punctuation that stands inside words.
bool is_case_ignorable(char32_t code) {
  constexpr std::u32string_view kInsideWords =
      U"'.:\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A";
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return kInsideWords.find(code) != kInsideWords.npos;
  }
}

// Unicode's Cased, for characters that are not case-ignorable: letters with case, ordinal indicators, Roman numerals
// and letters in circles or squares.
bool is_cased(char32_t code) {
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(code));
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LT) || code == 0xAA || code == 0xBA ||
         (code >= 0x2160 && code <= 0x217F) || (code >= 0x24B6 && code <= 0x24E9) ||
         (code >= 0x1F130 && code <= 0x1F149) || (code >= 0x1F150 && code <= 0x1F169) ||
         (code >= 0x1F170 && code <= 0x1F189);
}

bool ends_in_cased(std::string_view text) {
  while (!text.empty()) {
    const Utf8Char last = last_utf8(text);
    if (!is_case_ignorable(last.code)) return is_cased(last.code);
    text.remove_suffix(last.length);
  }
  return false;
}

bool begins_in_cased(std::string_view text) {
  while (!text.empty()) {
    const Utf8Char next = next_utf8(text);
    if (!is_case_ignorable(next.code)) return is_cased(next.code);
    text.remove_prefix(next.length);
  }
  return false;
}

// `text` is valid UTF-8.
void append_lowercase(std::string& result, std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const Utf8Char character = next_utf8(text.substr(i));
    const std::string_view before = text.substr(0, i);
    i += character.length;
    if (character.code < 0x80) {
      const bool is_upper = character.code >= 'A' && character.code <= 'Z';
      result.push_back(static_cast<char>(is_upper ? character.code + ('a' - 'A') : character.code));
    } else if (character.code == kCapitalSigma) {
      const bool ends_word = ends_in_cased(before) && !begins_in_cased(text.substr(i));
      append_utf8(result, ends_word ? kFinalSigma : kSmallSigma);
    } else if (character.code == kCapitalIWithDot) {
      result += kSmallIWithDot;
    } else {
      append_utf8(result, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(character.code))));
    }
  }
}

}  // namespace

std::string lowercase(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t valid = valid_utf8_prefix(text);
    append_lowercase(result, text.substr(0, valid));
    text.remove_prefix(valid);
    if (text.empty()) break;
    result.push_back(text.front());
    text.remove_prefix(1);
  }
  return result;
}

}  // namespace specthink::inline base
