#include "text/jinja_function.h"

#include <algorithm>

#include "text/jinja_error.h"
#include "text/jinja_operators.h"

namespace specthink::jinja {

CallArguments::CallArguments(const Function& function, const Arguments& arguments)
    : function_(function), arguments_(arguments) {
  const auto& parameters = function.parameters;
  if (parameters[0] == kAnyArguments) return;
  const auto end = std::find(parameters.begin(), parameters.end(), std::string_view());
  const std::size_t count = static_cast<std::size_t>(end - parameters.begin());
  if (arguments.positional.size() > count) {
    fail("'{}' takes at most {} arguments, {} given", function.name, count, arguments.positional.size());
  }
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto found = std::find(parameters.begin(), end, name);
    if (found == end) fail("'{}' has no parameter '{}'", function.name, name);
    const Value*& place = values_[static_cast<std::size_t>(found - parameters.begin())];
    if (place != nullptr) fail("'{}' was given '{}' twice", function.name, name);
    place = &value;
  }
  for (int i = 0; i < function.required; ++i) {
    if (values_[i] == nullptr) fail("'{}' needs the argument '{}'", function.name, parameters[i]);
  }
}

bool CallArguments::flag(std::size_t parameter, bool otherwise) const {
  return values_[parameter] == nullptr ? otherwise : is_true(*values_[parameter]);
}

std::int64_t CallArguments::integer(std::size_t parameter, std::int64_t otherwise) const {
  if (values_[parameter] == nullptr) return otherwise;
  const auto value = values_[parameter]->as_integer();
  if (!value) {
    fail("'{}': {} must be an int, not {}", function_.name, function_.parameters[parameter],
         values_[parameter]->type_name());
  }
  return *value;
}

const std::string& CallArguments::string(std::size_t parameter) const {
  const Value* value = values_[parameter];
  if (value == nullptr || !value->is_string()) {
    fail("'{}': {} must be a str, not {}", function_.name, function_.parameters[parameter],
         value == nullptr ? "missing" : value->type_name());
  }
  return *value->string();
}

Value call_function(Runtime& runtime, const Function& function, const Value& self, const Arguments& arguments) {
  if (function.call == nullptr) fail("'{}' is not supported in chat templates", function.name);
  return function.call(runtime, self, CallArguments(function, arguments));
}

}  // namespace specthink::jinja
