#include "specthink/base/python/literal.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "specthink/base/python/error.h"
#include "specthink/base/python/text.h"
#include "specthink/base/utf8.h"

namespace specthink::inline base::python {
namespace {

// Reads the code point that `digits` hexadecimal digits at `position` name, and moves behind them.
char32_t read_code(std::string_view text, std::size_t& position, std::size_t digits) {
  const std::string_view hex = text.substr(position, digits);
  std::uint32_t code = 0;
  const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
  if (static_cast<std::size_t>(end - hex.data()) != digits) {
    raise("an escape in a string needs {} hexadecimal digits", digits);
  }
  if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
    raise("an escape in a string names no character: U+{:X}", code);
  }
  position += digits;
  return code;
}

// The value of a string literal, given what stands between its quotes.
std::string unescape(std::string_view literal) {
  // What stands for itself or, without the backslash, for another character; a line that goes on for nothing.
  constexpr std::string_view kEscapes = "\\'\"nrt";
  constexpr std::string_view kMeanings = "\\'\"\n\r\t";
  constexpr std::string_view kUnsupported = "abfvN01234567";
  std::string result;
  for (std::size_t i = 0; i < literal.size();) {
    const char c = literal[i++];
    if (c != '\\' || i == literal.size()) {
      result += c;
      continue;
    }
    const char escape = literal[i++];
    if (const std::size_t found = kEscapes.find(escape); found != kEscapes.npos) {
      result += kMeanings[found];
    } else if (escape == 'x' || escape == 'u' || escape == 'U') {
      append_utf8(result, read_code(literal, i, escape == 'x' ? 2 : escape == 'u' ? 4 : 8));
    } else if (kUnsupported.find(escape) != kUnsupported.npos) {
      raise("the escape \\{} in a string is not supported", escape);
    } else if (escape != '\n') {  // unknown escapes stand for themselves
      result += '\\';
      result += escape;
    }
  }
  return result;
}

}  // namespace

std::string repr(std::string_view text) {
  const char quote = text.find('\'') != text.npos && text.find('"') == text.npos ? '"' : '\'';
  std::string result(1, quote);
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = i;
    const char32_t code = next_code_point(text, i);
    const auto number = static_cast<std::uint32_t>(code);
    if (code == '\n' || code == '\r' || code == '\t') {
      result += code == '\n' ? "\\n" : code == '\r' ? "\\r" : "\\t";
    } else if (is_printable(code)) {
      if (code == '\\' || code == static_cast<char32_t>(quote)) result += '\\';
      result += text.substr(start, i - start);
    } else {
      result += code < 0x100     ? fmt::format("\\x{:02x}", number)
                : code < 0x10000 ? fmt::format("\\u{:04x}", number)
                                 : fmt::format("\\U{:08x}", number);
    }
  }
  return result + quote;
}

Number read_number(std::string_view& text) {
  constexpr std::string_view kDigits = "0123456789";
  const std::size_t whole = std::min(text.find_first_not_of(kDigits), text.size());
  const std::string_view digits = text.substr(0, whole);
  const std::string_view behind = text.substr(whole);
  const auto is_next = [&](std::string_view characters) {
    return !behind.empty() && characters.find(behind[0]) != characters.npos;
  };
  const bool has_base = digits == "0" && is_next("xXoObB");
  if (behind.starts_with('_') || has_base) {
    raise("the number {}{}... is not supported: only decimal digits are", digits, behind[0]);
  }
  const bool has_fraction = is_next(".") && behind.size() > 1 && kDigits.find(behind[1]) != kDigits.npos;
  if (has_fraction || is_next("eE")) {
    double real = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), real);
    if (error != std::errc()) raise("a float is too large or too small");
    const auto length = static_cast<std::size_t>(end - text.data());
    if (length > whole) {  // "1else" has no exponent
      text.remove_prefix(length);
      return real;
    }
  }
  std::int64_t integer = 0;
  if (digits.starts_with('0') && digits.find_first_not_of('0') != digits.npos) {
    raise("the number {} starts with a zero", digits);
  }
  if (std::from_chars(digits.data(), digits.data() + whole, integer).ec != std::errc()) {
    raise("the number {} is too large for a 64-bit integer", digits);
  }
  text.remove_prefix(whole);
  return integer;
}

std::string read_string(std::string_view& text) {
  const char quote = text.front();
  std::size_t end = 1;
  while (end < text.size() && text[end] != quote) end += text[end] == '\\' ? 2 : 1;
  if (end >= text.size()) raise("a string has no end: expected {}", quote);
  const std::string_view inside = text.substr(1, end - 1);
  text.remove_prefix(end + 1);
  return unescape(inside);
}

}  // namespace specthink::inline base::python
