// A fast hash that is the same in every process and build (FNV-1a, 64 bits).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace specthink::inline base {

constexpr std::uint64_t kHashSeed = 0xCBF29CE484222325ull;

constexpr std::uint64_t hash_text(std::string_view text, std::uint64_t hash = kHashSeed) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  return hash;
}

inline std::uint64_t hash_bytes(std::span<const std::byte> bytes, std::uint64_t hash = kHashSeed) {
  return hash_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, hash);
}

}  // namespace specthink::inline base
