// Renders templates for the tests of this module.
#pragma once

#include <gtest/gtest.h>

#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "specthink/jinja/template.h"

namespace specthink::jinja::testing_support {

/// The variable that every test's template sees: `messages`, one of a user.
inline Variables one_message() {
  return {{"messages", Value::list({Value::dict_of_unique_keys({{"role", "user"}, {"content", "hi"}})})}};
}

inline std::string render(std::string_view source) { return Template(source).render(one_message()); }

/// A template and what the reference makes of it.
struct OutputCase {
  const char* source;
  const char* output;
};

inline void expect_outputs(const std::vector<OutputCase>& cases) {
  for (const OutputCase& c : cases) {
    try {
      EXPECT_EQ(render(c.source), c.output) << c.source;
    } catch (const std::exception& error) {
      ADD_FAILURE() << c.source << "\n" << error.what();
    }
  }
}

}  // namespace specthink::jinja::testing_support
