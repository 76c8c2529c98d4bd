// Unicode's White_Space at the ends of a text.
#pragma once

#include <cstddef>
#include <string_view>

#include "specthink/base/utf8.h"

namespace specthink::inline text {

inline bool is_space(char32_t code) {
  return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F ||
         code == 0x3000;
}

/// Bytes; `text` must be valid UTF-8.
inline std::size_t trailing_space(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size()) {
    const Utf8Char last = last_utf8(text.substr(0, text.size() - length));
    if (!is_space(last.code)) break;
    length += last.length;
  }
  return length;
}

inline std::size_t leading_space(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size()) {
    const Utf8Char next = next_utf8(text.substr(length));
    if (!is_space(next.code)) break;
    length += next.length;
  }
  return length;
}

}  // namespace specthink::inline text
