// Literals of Python. All text here is valid UTF-8.
#pragma once

#include <string>
#include <string_view>

#include "specthink/base/python/number.h"

namespace specthink::inline base::python {

/// repr(text).
std::string repr(std::string_view text);

// The literal at the start of `text`, which moves behind it. Both throw Error for what is malformed or not supported.

/// Decimal digits, perhaps with a fraction and an exponent.
Number read_number(std::string_view& text);

/// Between single or double quotes. Of the escapes, \a, \b, \f, \v, \N and octal numbers are not supported.
std::string read_string(std::string_view& text);

}  // namespace specthink::inline base::python
