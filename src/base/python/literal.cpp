#include "specthink/base/python/literal.h"

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

}  // namespace specthink::inline base::python
