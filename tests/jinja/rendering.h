// Renders templates for the tests of this module.
#pragma once

#include <string>
#include <string_view>

#include "specthink/jinja/template.h"

namespace specthink::jinja::testing_support {

/// The variable that every test's template sees: `messages`, one of a user.
inline Variables one_message() {
  return {{"messages", Value::list({Value::dict_of_unique_keys({{"role", "user"}, {"content", "hi"}})})}};
}

inline std::string render(std::string_view source) { return Template(source).render(one_message()); }

}  // namespace specthink::jinja::testing_support
