// Unicode's White_Space at the ends of a text.
#pragma once

#include <cstddef>
#include <string_view>

#include "specthink/base/utf8.h"

namespace specthink::inline text {

/// Bytes; `text` must be valid UTF-8.
inline std::size_t trailing_space(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size()) {
    const Utf8Char last = last_utf8(text.substr(0, text.size() - length));
    if (!is_white_space(last.code)) break;
    length += last.length;
  }
  return length;
}

inline std::size_t leading_space(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size()) {
    const Utf8Char next = next_utf8(text.substr(length));
    if (!is_white_space(next.code)) break;
    length += next.length;
  }
  return length;
}

}  // namespace specthink::inline text
