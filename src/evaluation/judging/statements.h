// Answers that a text states without a box.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace specthink::inline evaluation {

/// What the last statement says: behind "answer is", "Answer:", a heading "Final Answer", or their Chinese
/// counterparts.
std::optional<std::string> last_statement(std::string_view text);

/// The last number: with its sign, thousands commas and decimals; `a/b` is one.
std::optional<std::string> last_number(std::string_view text);

/// The option that a box or a statement names, A to the `num_choices`-th letter; with or without the option's text.
std::optional<char> leading_choice(std::string_view content, int num_choices);

/// The option that a text without a box chooses.
std::optional<char> last_choice(std::string_view text, int num_choices);

}  // namespace specthink::inline evaluation
