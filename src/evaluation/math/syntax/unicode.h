// Mathematical signs outside of ASCII.
#pragma once

#include <string>
#include <string_view>

namespace specthink::inline evaluation {

/// `answer` with LaTeX in place of the signs that have some (√, π, ², ≤, −); others stay, invalid bytes become U+FFFD.
std::string without_unicode(std::string_view answer);

}  // namespace specthink::inline evaluation
