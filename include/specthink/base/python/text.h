// Python's str on UTF-8: white space and case are Unicode's. All text here is valid UTF-8. For str.lower() see
// specthink/base/lowercase.h.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace specthink::inline base::python {

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

/// str.split and str.rsplit; `max_splits` below 0 is no limit. Without a separator, runs of white space separate.
std::vector<std::string_view> split(std::string_view text, std::optional<std::string_view> separator,
                                    std::ptrdiff_t max_splits);
std::vector<std::string_view> split_from_right(std::string_view text, std::optional<std::string_view> separator,
                                               std::ptrdiff_t max_splits);

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends = false);  // str.splitlines()

/// `text` with "\n" in place of "\r\n" and "\r".
std::string with_universal_newlines(std::string_view text);

/// Byte offset of `part` in `text` from `from` on, or npos. Takes linear time.
std::size_t find_text(std::string_view text, std::string_view part, std::size_t from = 0);

/// How often `part` stands in `text`, as str.count() has it: in front of each character and at the end if it is empty.
std::size_t count_text(std::string_view text, std::string_view part);

/// The first `count` occurrences of `part` replaced.
std::string replace_text(std::string_view text, std::string_view part, std::string_view with, std::size_t count);

std::string uppercase(std::string_view text);
std::string capitalize(std::string_view text);
std::string title(std::string_view text);  // str.title()

/// str.zfill(): zeros, behind the sign if there is one.
std::string fill_with_zeros(std::string_view text, std::size_t width);

/// `text` with every longest run of characters that are inside words converted.
std::string convert_words(std::string_view text, bool (*is_inside)(char32_t), std::string (*convert)(std::string_view));

}  // namespace specthink::inline base::python
