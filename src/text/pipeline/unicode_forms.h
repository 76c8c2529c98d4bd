// Unicode normalization, as the reference library computes it.
#pragma once

#include <string>
#include <string_view>

namespace specthink::inline text {

enum class UnicodeForm { nfc, nfd, nfkc, nfkd };

/// `text` must be valid UTF-8.
std::string normalize(std::string_view text, UnicodeForm form);

}  // namespace specthink::inline text
