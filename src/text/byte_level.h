// The alphabet of byte-level BPE (GPT-2): every byte is written as one printable character.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace specthink::inline text {

/// `bytes` in that alphabet, as UTF-8: a space becomes "Ġ", a line feed "Ċ", letters stay.
std::string to_byte_level(std::string_view bytes);

/// The bytes that `token` stands for; nothing when one of its characters is not in the alphabet.
std::optional<std::string> from_byte_level(std::string_view token);

}  // namespace specthink::inline text
