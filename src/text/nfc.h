// Unicode normalization form C, as the reference library computes it.
#pragma once

#include <string>
#include <string_view>

namespace specthink::inline text {

/// `text` must be valid UTF-8.
std::string normalize_nfc(std::string_view text);

}  // namespace specthink::inline text
