// What Python refuses, and numbers that it has and 64 bits have not.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

namespace specthink::inline base::python {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <typename... Args>
[[noreturn]] void raise(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace specthink::inline base::python
