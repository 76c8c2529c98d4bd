// Failures inside a template. ChatTemplate turns them into UserErrors that name the template.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace specthink::jinja {

class TemplateError : public std::runtime_error {
 public:
  TemplateError(int line, const std::string& message) : std::runtime_error(message), line_(line) {}

  /// Line of the template, from 1; 0 when the thrower does not know it (the interpreter does).
  int line() const { return line_; }

 private:
  int line_;
};

template <typename... Args>
[[noreturn]] void fail_at(int line, fmt::format_string<Args...> format, Args&&... args) {
  throw TemplateError(line, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw TemplateError(0, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace specthink::jinja
