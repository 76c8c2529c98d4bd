// Python's str on UTF-8: positions are code points, white space and case are Unicode's. All text here is valid UTF-8.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "specthink/base/utf8.h"

namespace specthink::jinja {

/// The code point at `position`, which moves behind it.
inline char32_t next_code_point(std::string_view text, std::size_t& position) {
  const Utf8Char next = next_utf8(text.substr(position));
  position += next.length;
  return next.code;
}
std::u32string code_points(std::string_view text);
std::string to_utf8(std::u32string_view text);

/// Code points in `text`.
std::size_t text_length(std::string_view text);

bool is_space(char32_t code);          // str.isspace()
bool is_printable(char32_t code);      // what repr() does not escape
bool is_letter(char32_t code);         // str.isalpha()
bool is_decimal_digit(char32_t code);  // str.isdecimal()
bool is_numeric(char32_t code);        // str.isnumeric(), but for ideographs

/// Whether `convert` (lowercase or uppercase) leaves the text as it is, and there is a letter that has two cases:
/// str.islower(), str.isupper().
bool has_case(std::string_view text, std::string (*convert)(std::string_view));

enum class Side { kLeft, kRight, kBoth };

/// str.strip and its kin; white space when there are no `chars`.
std::string_view strip(std::string_view text, Side side, std::optional<std::string_view> chars = std::nullopt);

/// str.split; `max_splits` below 0 is no limit. Without a separator, runs of white space separate.
std::vector<std::string_view> split(std::string_view text, std::optional<std::string_view> separator,
                                    std::ptrdiff_t max_splits);
std::vector<std::string_view> split_lines(std::string_view text);  // str.splitlines()

/// Byte offset of `part` in `text` from `from` on, or npos. Takes linear time.
std::size_t find_text(std::string_view text, std::string_view part, std::size_t from = 0);

std::string uppercase(std::string_view text);
std::string capitalize(std::string_view text);
std::string title(std::string_view text);  // str.title()

/// Jinja's title filter: words begin after white space and opening punctuation, and only there.
std::string title_of_words(std::string_view text);

}  // namespace specthink::jinja
