// Code points of valid UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace specthink::inline base {

struct Utf8Char {
  char32_t code;
  std::size_t length;  ///< bytes
};

/// The first character of `text`, which must be valid UTF-8 and not empty.
inline Utf8Char next_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const auto tail = [&](std::size_t i) { return static_cast<char32_t>(byte(i) & 0x3F); };
  if (byte(0) < 0x80) return {byte(0), 1};
  if (byte(0) < 0xE0) return {static_cast<char32_t>(byte(0) & 0x1F) << 6 | tail(1), 2};
  if (byte(0) < 0xF0) return {static_cast<char32_t>(byte(0) & 0x0F) << 12 | tail(1) << 6 | tail(2), 3};
  return {static_cast<char32_t>(byte(0) & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4};
}

/// Characters of `text`, which must be valid UTF-8.
inline std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (const char byte : text) count += (static_cast<std::uint8_t>(byte) & 0xC0) != 0x80;
  return count;
}

/// The last character of `text`, which must be valid UTF-8 and not empty.
inline Utf8Char last_utf8(std::string_view text) {
  std::size_t start = text.size() - 1;
  while ((static_cast<std::uint8_t>(text[start]) & 0xC0) == 0x80) --start;
  return next_utf8(text.substr(start));
}

/// The code point at `position`, which moves behind it.
inline char32_t next_code_point(std::string_view text, std::size_t& position) {
  const Utf8Char next = next_utf8(text.substr(position));
  position += next.length;
  return next.code;
}

inline std::u32string code_points(std::string_view text) {
  std::u32string codes;
  codes.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) codes += next_code_point(text, i);
  return codes;
}

inline void append_utf8(std::string& text, char32_t code) {
  const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

inline std::string to_utf8(std::u32string_view codes) {
  std::string result;
  for (const char32_t code : codes) append_utf8(result, code);
  return result;
}

/// Unicode's White_Space.
inline bool is_white_space(char32_t code) {
  return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F ||
         code == 0x3000;
}

}  // namespace specthink::inline base
