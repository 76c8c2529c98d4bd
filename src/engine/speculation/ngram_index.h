// Where the end of a text occurred before in it: proposals without a model.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "specthink/base/types.h"

namespace specthink::inline engine {

/// An index over a token list that grows at its end and is cut there. Every operation but the search takes constant
/// time a token; the search walks the earlier occurrences of the last two tokens.
class NgramIndex {
 public:
  /// Suffixes of this many tokens at most are looked for.
  static constexpr int kMaxMatch = 12;

  struct Match {
    int length = 0;          ///< tokens of the suffix that occurred before; 0: not even the last one did
    std::int64_t begin = 0;  ///< where the text behind that occurrence begins
  };

  /// Follows `ids`, of which the first size() are those that are indexed already.
  void extend(std::span<const TokenId> ids);

  /// Forgets all but the first `length` tokens. `ids`: at least what is indexed.
  void truncate(std::span<const TokenId> ids, std::int64_t length);

  std::int64_t size() const { return static_cast<std::int64_t>(before_.size()); }

  /// The longest suffix of `ids`, all of it indexed, that occurred before; of several occurrences the latest.
  Match longest_match(std::span<const TokenId> ids) const;

 private:
  /// Earlier positions whose last token, or last two tokens, are those of this position; -1: none.
  struct Occurrences {
    std::int32_t of_token = -1;
    std::int32_t of_pair = -1;
  };

  std::vector<Occurrences> before_;                          // by position
  std::unordered_map<TokenId, std::int32_t> last_of_token_;  // the latest position, by the token there
  std::unordered_map<std::uint64_t, std::int32_t> last_of_pair_;
};

/// What followed the match, `count` tokens. A match that overlaps the end of the text repeats itself.
TokenIds tokens_behind(const NgramIndex::Match& match, std::span<const TokenId> ids, int count);

}  // namespace specthink::inline engine
