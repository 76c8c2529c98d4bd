#include "text/jinja_literals.h"

#include <cmath>
#include <cstdlib>

#include "text/jinja_error.h"
#include "text/jinja_unicode.h"

namespace specthink::jinja {
namespace {

bool is_decimal(char c) { return c >= '0' && c <= '9'; }

int digit_value(char c) {
  if (is_decimal(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 99;
}

// The end of digits in `base` with single underscores between them, from `start` on; `start` when there are none.
std::size_t digits_end(std::string_view text, std::size_t start, int base) {
  std::size_t end = start;
  while (end < text.size()) {
    if (digit_value(text[end]) < base) {
      ++end;
    } else if (text[end] == '_' && end > start && end + 1 < text.size() && digit_value(text[end + 1]) < base) {
      end += 2;
    } else {
      break;
    }
  }
  return end;
}

// The end of a float, or 0 when there is none: a fraction, an exponent or both are needed.
std::size_t float_end(std::string_view text) {
  const std::size_t whole = digits_end(text, 0, 10);
  std::size_t end = whole;
  if (end < text.size() && text[end] == '.') {
    const std::size_t fraction = digits_end(text, end + 1, 10);
    if (fraction > end + 1) end = fraction;
  }
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    std::size_t start = end + 1;
    if (start < text.size() && (text[start] == '+' || text[start] == '-')) ++start;
    const std::size_t exponent = digits_end(text, start, 10);
    if (exponent > start) end = exponent;
  }
  return end == whole ? 0 : end;
}

}  // namespace

NumberLiteral read_number(std::string_view text, bool may_be_float, int line) {
  NumberLiteral literal;
  if (const std::size_t end = may_be_float ? float_end(text) : 0; end > 0) {
    std::string digits;
    for (const char c : text.substr(0, end)) {
      if (c != '_') digits += c;
    }
    literal.length = end;
    literal.is_float = true;
    literal.real = std::strtod(digits.c_str(), nullptr);
    return literal;
  }
  int base = 10;
  std::size_t start = 0;
  if (text.size() > 1 && text[0] == '0') {
    const char letter = static_cast<char>(text[1] | 0x20);
    const int prefixed = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
    const std::size_t first = text.size() > 2 && text[2] == '_' ? 3 : 2;
    if (prefixed != 0 && digits_end(text, first, prefixed) > first) {
      base = prefixed;
      start = first;
    }
  }
  literal.length = digits_end(text, start, base);
  const std::string_view digits = text.substr(start, literal.length - start);
  if (base == 10 && digits[0] == '0' && digits.find_first_not_of("0_") != digits.npos) {
    fail_at(line, "the number {} starts with a zero", digits);
  }
  for (const char c : digits) {
    if (c == '_') continue;
    if (__builtin_mul_overflow(literal.integer, base, &literal.integer) ||
        __builtin_add_overflow(literal.integer, digit_value(c), &literal.integer)) {
      fail_at(line, "the number {} is too large for a 64-bit integer", digits);
    }
  }
  return literal;
}

std::string unescape(std::string_view text, int line) {
  std::string result;
  std::size_t i = 0;
  const auto read_code = [&](std::size_t count, int base, bool exact) {
    char32_t code = 0;
    std::size_t read = 0;
    while (read < count && i < text.size() && digit_value(text[i]) < base) {
      code = code * static_cast<char32_t>(base) + static_cast<char32_t>(digit_value(text[i++]));
      ++read;
    }
    if (exact && read < count) fail_at(line, "an escape in a string needs {} hexadecimal digits", count);
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
      fail_at(line, "an escape in a string names no character: U+{:X}", static_cast<unsigned>(code));
    }
    append_utf8(result, code);
  };
  while (i < text.size()) {
    const char c = text[i++];
    if (c != '\\' || i == text.size()) {
      result += c;
      continue;
    }
    const char escape = text[i++];
    switch (escape) {
      case '\n':
        break;  // a line that goes on
      case '\\':
      case '\'':
      case '"':
        result += escape;
        break;
      case 'a':
        result += '\a';
        break;
      case 'b':
        result += '\b';
        break;
      case 'f':
        result += '\f';
        break;
      case 'n':
        result += '\n';
        break;
      case 'r':
        result += '\r';
        break;
      case 't':
        result += '\t';
        break;
      case 'v':
        result += '\v';
        break;
      case 'x':
        read_code(2, 16, true);
        break;
      case 'u':
        read_code(4, 16, true);
        break;
      case 'U':
        read_code(8, 16, true);
        break;
      case 'N':
        fail_at(line, "the escape \\N in a string is not supported");
      default:
        if (escape >= '0' && escape <= '7') {
          --i;
          read_code(3, 8, false);
        } else {  // unknown escapes stand for themselves
          result += '\\';
          result += escape;
        }
    }
  }
  return result;
}

}  // namespace specthink::jinja
