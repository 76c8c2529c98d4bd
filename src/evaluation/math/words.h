// Answers that are words or the letter of an option.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace specthink::inline evaluation {

/// Without commands for fonts and text, braces, dollars and spacing: what a reader sees.
std::string visible_text(std::string_view answer);

/// The words of an answer that consists of words, in lower case with one blank between them; null for others.
std::optional<std::string> words_of(std::string_view answer);

/// The letter of an option, in brackets or as text: `(C)`, `\text{C}`, `\textbf{(C) } 12`; null for others.
std::optional<char> option_letter(std::string_view answer);

/// True for an answer that is an option's letter and nothing else, written so that it cannot be a variable.
bool is_option(std::string_view answer);

}  // namespace specthink::inline evaluation
