#include "specthink/text/lowercase.h"

#include <utf8proc.h>

#include "specthink/base/strings.h"
#include "text/regex.h"
#include "text/utf8.h"

namespace specthink {
namespace {

constexpr char32_t kCapitalSigma = 0x3A3;
constexpr char32_t kSmallSigma = 0x3C3;
constexpr char32_t kFinalSigma = 0x3C2;
constexpr char32_t kCapitalIWithDot = 0x130;
constexpr std::string_view kSmallIWithDot = "i\u0307";  // the only character whose lower case is two

bool belongs_to(const Regex& characters, char32_t code) {
  std::string character;
  append_utf8(character, code);
  return !characters.find_all(character).empty();
}

bool is_cased(char32_t code) {
  static const Regex kCased(R"(\p{Cased})");
  return belongs_to(kCased, code);
}

bool is_case_ignorable(char32_t code) {
  static const Regex kCaseIgnorable(R"(\p{Case_Ignorable})");
  return belongs_to(kCaseIgnorable, code);
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

}  // namespace specthink
