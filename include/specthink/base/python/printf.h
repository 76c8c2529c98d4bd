// Python's printf-style formatting: the operator % of str.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace specthink::inline base::python {

/// What conversions look at. An int (or bool) has both numbers, a float the second.
struct PrintfArgument {
  std::optional<std::int64_t> integer;
  std::optional<double> number;
  const std::string* text = nullptr;  ///< of a str
  std::string_view type;              ///< its name
  std::function<std::string()> str, repr;
};

/// Where a format gets its arguments from and its text goes to.
class PrintfCaller {
 public:
  virtual ~PrintfCaller() = default;

  /// Both throw when there is none.
  virtual PrintfArgument next() = 0;
  virtual PrintfArgument named(std::string_view key) = 0;

  /// Throws when a field of this size is too large. Asked before it is made.
  virtual void check_size(std::size_t bytes) = 0;
  virtual void put(std::string_view text) = 0;
};

/// Throws Error for what is no format, and for what does not fit its argument.
void printf(std::string_view format, PrintfCaller& caller);

}  // namespace specthink::inline base::python
