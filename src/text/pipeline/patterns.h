// The patterns of normalizers, pre-tokenizers and decoders: {"String": …} or {"Regex": …}.
#pragma once

#include <string>
#include <string_view>

#include "text/json_view.h"
#include "text/regex.h"

namespace specthink::inline text {

/// Throws UserError for a pattern that is not valid or not supported.
Regex read_pattern(const JsonView& view);

/// `text` with `content` in place of each match. `text` must be valid UTF-8.
std::string replace_all(const Regex& pattern, std::string_view text, std::string_view content);

}  // namespace specthink::inline text
