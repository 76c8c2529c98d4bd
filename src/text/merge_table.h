// Merges of a BPE model by the pair of tokens that they join.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "specthink/base/types.h"

namespace specthink::inline text {

struct MergeRule {
  TokenId left;
  TokenId right;
  TokenId result;

  bool operator==(const MergeRule&) const = default;
};

/// Open addressing: one or two cache lines a look-up, which is where encoding spends its time.
class MergeTable {
 public:
  struct Entry {
    std::uint64_t key = kFree;
    std::uint32_t rank = 0;  ///< smaller ranks are merged first
    TokenId result = 0;
  };

  /// The rank of a rule is its position. Of two rules for one pair the later counts.
  explicit MergeTable(std::span<const MergeRule> rules) : entries_(std::bit_ceil(2 * rules.size() + 1)) {
    for (std::size_t rank = 0; rank < rules.size(); ++rank) {
      const std::uint64_t key = make_key(rules[rank].left, rules[rank].right);
      entries_[slot(key)] = {key, static_cast<std::uint32_t>(rank), rules[rank].result};
    }
  }

  /// Null when the pair is never joined.
  const Entry* find(TokenId left, TokenId right) const {
    const std::uint64_t key = make_key(left, right);
    const Entry& entry = entries_[slot(key)];
    return entry.key == key ? &entry : nullptr;
  }

 private:
  static constexpr std::uint64_t kFree = ~std::uint64_t{0};  // ids are not negative

  static std::uint64_t make_key(TokenId left, TokenId right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
  }

  // Where `key` is, or the free place where it would be. At least half of the table is free.
  std::size_t slot(std::uint64_t key) const {
    std::uint64_t hash = key * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
    const std::size_t mask = entries_.size() - 1;
    std::size_t index = hash & mask;
    while (entries_[index].key != key && entries_[index].key != kFree) index = (index + 1) & mask;
    return index;
  }

  std::vector<Entry> entries_;
};

}  // namespace specthink::inline text
