// Python's string literals. All text here is valid UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace specthink::inline base::python {

/// repr(text).
std::string repr(std::string_view text);

/// The value of a literal, given what stands between its quotes. Throws Error for a malformed escape, and for \a, \b,
/// \f, \v, \N and octal numbers, which are not supported.
std::string unescape(std::string_view literal);

}  // namespace specthink::inline base::python
