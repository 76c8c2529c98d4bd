// Small text utilities.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace specthink::inline base {

/// The candidate with the smallest edit distance to `word`, or an empty string when none is near
/// (distance above a third of the longer word, at least 2).
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// ` (did you mean 'x'?)`, or an empty string when nothing is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// "1.5 GiB", "12 KiB", "7 B".
std::string format_bytes(std::uint64_t bytes);

/// `text` as HTML that shows it, also inside quotes. The references are those of Python's markupsafe.
std::string escape_html(std::string_view text);

/// Length of the longest prefix of `text` that is complete, valid UTF-8.
std::size_t valid_utf8_prefix(std::string_view text);

/// Length of an unfinished character at the end of `text`: bytes that further bytes could complete.
std::size_t incomplete_utf8_suffix(std::string_view text);

/// `text` with every maximal invalid part replaced by U+FFFD, as Python and Rust decode with "replace"/"lossy".
std::string replace_invalid_utf8(std::string_view text);

}  // namespace specthink::inline base
