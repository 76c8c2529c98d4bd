// Functions that templates can call: filters, tests, methods and globals, and how arguments reach them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja_value.h"

namespace specthink::jinja {

class Runtime;
class CallArguments;

struct Arguments {
  Values positional;
  std::vector<std::pair<std::string, Value>> named;
};

/// In place of the parameters: the function looks at its arguments itself.
inline constexpr std::string_view kAnyArguments = "*";

struct Function {
  std::string_view name;
  std::array<std::string_view, 4> parameters;
  int required;                                                      ///< the first so many parameters must be given
  Value (*call)(Runtime&, const Value& self, const CallArguments&);  ///< null: known, but not supported
};

/// The arguments of one call, matched to the function's parameters. Throws TemplateError when they do not fit.
class CallArguments {
 public:
  CallArguments(const Function& function, const Arguments& arguments);

  /// Null when the parameter was not given.
  const Value* get(std::size_t parameter) const { return values_[parameter]; }
  bool flag(std::size_t parameter, bool otherwise = false) const;
  std::int64_t integer(std::size_t parameter, std::int64_t otherwise) const;
  const std::string& string(std::size_t parameter) const;

  const Arguments& all() const { return arguments_; }
  std::string_view callee() const { return function_.name; }

 private:
  const Function& function_;
  const Arguments& arguments_;
  std::array<const Value*, 4> values_{};
};

Value call_function(Runtime& runtime, const Function& function, const Value& self, const Arguments& arguments);

// Null when there is none of this name.
const Function* find_filter(std::string_view name);
const Function* find_test(std::string_view name);
const Function* find_global(std::string_view name);
const Function* find_string_method(std::string_view name);
const Function* find_dict_method(std::string_view name);
const Function* find_sequence_method(std::string_view name, SequenceType type);
const Function& loop_cycle();

/// Throws TemplateError for a name that the sandbox of the reference does not allow.
void check_namespace_attribute(std::string_view name);

}  // namespace specthink::jinja
