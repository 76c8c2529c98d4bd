// The reference library fixes which Unicode version a text is read with; the installed libraries have others.
//
// Its regex engine (Oniguruma) knows Unicode 16, its NFC knows Unicode 9. PCRE2 and utf8proc know what the distribution
// ships. Characters that the versions disagree about are few, and listed in unicode_versions.cpp.
#pragma once

#include <string>
#include <string_view>

namespace specthink::inline text {

/// `text` (valid UTF-8) as PCRE2 should see it: characters newer than Unicode 14 are replaced by older ones of the same
/// general category and length, so that positions stay. The result is `text` itself, or a view of `storage`.
std::string_view regex_view(std::string_view text, std::string& storage);

/// True for characters that combine or compose only since Unicode 10: the reference's NFC leaves them as they are, and
/// nothing is reordered or composed across them.
bool inert_in_reference_nfc(char32_t code);

}  // namespace specthink::inline text
