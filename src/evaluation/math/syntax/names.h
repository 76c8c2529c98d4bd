// Names that answers use.
#pragma once

#include <string>
#include <string_view>

namespace specthink::inline evaluation {

/// A function of one argument, with or without brackets around it: sin, ln, ...
bool is_function_name(std::string_view name);

/// A word that means a command where it stands without a backslash: sqrt, pi, sin, theta, infinity; empty: none.
std::string_view command_of_word(std::string_view word);

/// Commands that change how the rest looks, and not what it means: \displaystyle, \left, \big, \limits.
bool is_layout_command(std::string_view name);

/// Commands around words (\text, \mbox, \textbf) and around letters of another font (\mathrm, \mathbf).
bool is_text_command(std::string_view name);
bool is_font_command(std::string_view name);

/// Spacing commands with a letter name: \quad, \enspace.
bool is_space_command(std::string_view name);

/// One name for a command with several: frac for dfrac, le for leq.
std::string_view canonical_command(std::string_view name);

/// A command that begins no factor: an operator, a closing bracket, or what answers are not computed with (\sum, \int).
bool is_operator_command(std::string_view name);

/// One name for a unit with several: cm for centimeters; empty: not known as a unit.
std::string_view canonical_unit(std::string_view name);

}  // namespace specthink::inline evaluation
