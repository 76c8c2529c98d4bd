#include "jinja/builtins/function.h"

#include <algorithm>

#include "jinja/operators.h"
#include "specthink/jinja/error.h"

namespace specthink::jinja {

Args::Args(const Function& function, const Arguments& arguments) : function_(function), arguments_(arguments) {
  const auto& parameters = function.parameters;
  if (parameters[0] == kAnyArguments) return;
  const auto end = std::ranges::find(parameters, std::string_view());
  const auto count = static_cast<std::size_t>(end - parameters.begin());
  if (arguments.positional.size() > count) {
    fail("'{}' takes at most {} arguments, {} given", function.name, count, arguments.positional.size());
  }
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = &arguments.positional[i];
  const auto name_of = [](std::string_view parameter) { return parameter.substr(parameter.starts_with('!') ? 1 : 0); };
  for (const auto& [name, value] : arguments.named) {
    const auto found = std::ranges::find(parameters.begin(), end, name, name_of);
    if (found == end) fail("'{}' has no parameter '{}'", function.name, name);
    const Value*& place = values_[static_cast<std::size_t>(found - parameters.begin())];
    if (place != nullptr) fail("'{}' was given '{}' twice", function.name, name);
    place = &value;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (values_[i] != nullptr && parameters[i].starts_with('!')) {
      fail("the parameter '{}' of '{}' is not supported", name_of(parameters[i]), function.name);
    }
    if (values_[i] == nullptr && std::cmp_less(i, function.required)) {
      fail("'{}' needs the argument '{}'", function.name, parameters[i]);
    }
  }
}

Value Args::get_or(std::size_t parameter, Value otherwise) const {
  return values_[parameter] == nullptr ? std::move(otherwise) : *values_[parameter];
}

bool Args::flag(std::size_t parameter) const { return values_[parameter] != nullptr && is_true(*values_[parameter]); }

std::int64_t Args::integer(std::size_t parameter, std::int64_t otherwise) const {
  const Value* given = values_[parameter];
  if (given == nullptr) return otherwise;
  if (const auto value = given->as_integer()) return *value;
  fail("'{}': {} must be an int, not {}", function_.name, function_.parameters[parameter], given->type_name());
}

const std::string& Args::string(std::size_t parameter) const {
  const Value& given = *values_[parameter];
  if (const std::string* text = given.string()) return *text;
  fail("'{}': {} must be a str, not {}", function_.name, function_.parameters[parameter], given.type_name());
}

std::string indentation_argument(Runtime& runtime, const Args& args, std::size_t parameter, std::int64_t otherwise) {
  const Value* given = args.get(parameter);
  if (given != nullptr && given->is_string()) return *given->string();
  const auto spaces = static_cast<std::size_t>(std::max<std::int64_t>(args.integer(parameter, otherwise), 0));
  runtime.check_text_size(spaces);
  return std::string(spaces, ' ');
}

Value call_function(Runtime& runtime, const Function& function, const Value& self, const Arguments& arguments) {
  return function.call(runtime, self, Args(function, arguments));
}

std::string refusal(std::string_view kind, std::string_view name, const Function* function) {
  if (function == nullptr) return fmt::format("there is no {} '{}'", kind, name);
  return function->call == nullptr ? fmt::format("the {} '{}' is not supported", kind, name) : "";
}

const Function* find_function(std::initializer_list<std::span<const Function>> tables, std::string_view name) {
  for (const auto table : tables) {
    const auto found = std::ranges::find(table, name, &Function::name);
    if (found != table.end()) return &*found;
  }
  return nullptr;
}

}  // namespace specthink::jinja
