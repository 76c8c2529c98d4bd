// Numbers and strings as templates write them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace specthink::jinja {

struct NumberLiteral {
  std::size_t length = 0;
  bool is_float = false;
  std::int64_t integer = 0;
  double real = 0;
};

/// The number at the start of `text`, which starts with a digit.
NumberLiteral read_number(std::string_view text, bool may_be_float, int line);

/// The value of a string literal, given what stands between its quotes: Python's escapes.
std::string unescape(std::string_view text, int line);

}  // namespace specthink::jinja
