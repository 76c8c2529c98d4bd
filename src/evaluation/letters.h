// Letters of LaTeX commands and variables.
#pragma once

#include <cctype>

namespace specthink::inline evaluation {

inline bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }

}  // namespace specthink::inline evaluation
