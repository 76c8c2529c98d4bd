#include "text/byte_level.h"

#include <array>

#include "specthink/base/utf8.h"

namespace specthink::inline text {
namespace {

constexpr bool is_printable(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

// Printable bytes stand for themselves (as Latin-1); the others are numbered from U+0100 on.
constexpr std::array<char32_t, 256> make_alphabet() {
  std::array<char32_t, 256> alphabet{};
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    alphabet[static_cast<std::size_t>(byte)] = is_printable(byte) ? static_cast<char32_t>(byte) : next++;
  }
  return alphabet;
}

constexpr std::array<char32_t, 256> kAlphabet = make_alphabet();
constexpr std::size_t kAlphabetEnd = 0x144;

constexpr std::array<std::int16_t, kAlphabetEnd> make_inverse() {
  std::array<std::int16_t, kAlphabetEnd> inverse{};
  inverse.fill(-1);
  for (std::size_t byte = 0; byte < 256; ++byte) inverse[kAlphabet[byte]] = static_cast<std::int16_t>(byte);
  return inverse;
}

constexpr std::array<std::int16_t, kAlphabetEnd> kInverse = make_inverse();

}  // namespace

std::string to_byte_level(std::string_view bytes) {
  std::string result;
  result.reserve(bytes.size() * 2);
  for (const char byte : bytes) append_utf8(result, kAlphabet[static_cast<std::uint8_t>(byte)]);
  return result;
}

std::optional<std::string> from_byte_level(std::string_view token) {
  std::string bytes;
  bytes.reserve(token.size());
  while (!token.empty()) {
    const Utf8Char character = next_utf8(token);
    if (character.code >= kAlphabetEnd || kInverse[character.code] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(kInverse[character.code]));
    token.remove_prefix(character.length);
  }
  return bytes;
}

}  // namespace specthink::inline text
