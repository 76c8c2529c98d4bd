// Token ids that stand for any text.
#pragma once

#include <cstdint>

#include "specthink/base/types.h"

namespace specthink::inline replay {

/// The same ids with any library.
class RandomIds {
 public:
  /// Ids below `vocab_size`.
  RandomIds(std::uint64_t seed, std::int64_t vocab_size)
      : state_(seed), vocab_size_(static_cast<std::uint64_t>(vocab_size)) {}

  TokenIds take(std::int64_t count) {
    TokenIds ids(static_cast<std::size_t>(count));
    for (TokenId& id : ids) id = static_cast<TokenId>(next() % vocab_size_);
    return ids;
  }

 private:
  /// A generator of one 64-bit word (Steele, Lea, Flood 2014).
  std::uint64_t next() {
    std::uint64_t x = state_ += 0x9E3779B97F4A7C15ull;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
    return x ^ (x >> 31);
  }

  std::uint64_t state_;
  std::uint64_t vocab_size_;
};

}  // namespace specthink::inline replay
