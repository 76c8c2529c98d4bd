// Functions that templates can call: filters, tests, methods and globals, and how arguments reach them.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "specthink/jinja/value.h"

namespace specthink::jinja {

class Runtime;
class Args;

struct Arguments {
  Values positional;
  Variables named;
};

/// In place of the parameters: the function looks at its arguments itself.
inline constexpr std::string_view kAnyArguments = "*";

struct Function {
  std::string_view name;
  Value (*call)(Runtime&, const Value& self, const Args&) = nullptr;  ///< null: known, but not supported
  std::array<std::string_view, 4> parameters{};                       ///< "!name": known, but not supported
  int required = 0;                                                   ///< the first so many parameters must be given
};

/// Rows for names that Jinja or Python has, and that are not supported.
template <typename... Names>
constexpr auto unsupported(Names... names) {
  return std::array{Function{names}...};
}

/// The arguments of one call, matched to the function's parameters. Throws TemplateError when they do not fit.
class Args {
 public:
  Args(const Function& function, const Arguments& arguments);

  /// Whether the parameter was given, and not as None.
  bool has(std::size_t parameter) const { return values_[parameter] != nullptr && !values_[parameter]->is_none(); }

  /// Null when the parameter was not given.
  const Value* get(std::size_t parameter) const { return values_[parameter]; }
  Value get_or(std::size_t parameter, Value otherwise) const;
  bool flag(std::size_t parameter) const;
  std::int64_t integer(std::size_t parameter, std::int64_t otherwise) const;
  const std::string& string(std::size_t parameter) const;  ///< of a parameter that was given

  const Arguments& all() const { return arguments_; }
  std::string_view callee() const { return function_.name; }

 private:
  const Function& function_;
  const Arguments& arguments_;
  std::array<const Value*, 4> values_{};
};

Value call_function(Runtime& runtime, const Function& function, const Value& self, const Arguments& arguments);

/// Why the function that was looked up as `name` cannot be called; empty when it can. `kind` is "filter" and so on.
std::string refusal(std::string_view kind, std::string_view name, const Function* function);

/// The row of this name in the first table that has one, or null.
const Function* find_function(std::initializer_list<std::span<const Function>> tables, std::string_view name);

/// A parameter that is a text or a number of spaces.
std::string indentation_argument(Runtime& runtime, const Args& args, std::size_t parameter, std::int64_t otherwise);

/// A part of what find_filter looks through.
std::span<const Function> scalar_filters();

// Null when there is none of this name.
const Function* find_filter(std::string_view name);
const Function* find_test(std::string_view name);
const Function* find_global(std::string_view name);
const Function* find_method(const Value& value, std::string_view name);

}  // namespace specthink::jinja
