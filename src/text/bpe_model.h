// The BPE model of a tokenizer.json: vocabulary and merges.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "specthink/base/types.h"
#include "text/json_view.h"
#include "text/merge_table.h"

namespace specthink::inline text {

/// Byte-level models write their tokens in an alphabet of their own (text/byte_level.h).
using Vocabulary = std::unordered_map<std::string, TokenId>;

class BpeModel {
 public:
  /// Ids above this are refused, so that tables over all ids stay small.
  static constexpr TokenId kMaxId = (1 << 24) - 1;

  /// `model` is the "model" object. Throws UserError.
  explicit BpeModel(const JsonView& model);

  BpeModel(BpeModel&&) noexcept;
  BpeModel& operator=(BpeModel&&) noexcept;
  ~BpeModel();

  /// Appends the tokens of one pre-token, valid UTF-8. Characters that are not in the vocabulary become their bytes
  /// (<0x0A>, with byte_fallback), else the unknown token, if there is one; else they vanish. Throws UserError when the
  /// unknown token is needed and not in the vocabulary.
  void encode(std::string_view piece, TokenIds& ids) const;

  bool has_id(TokenId id) const { return ids_.contains(id); }
  const Vocabulary& vocabulary() const { return vocabulary_; }
  const std::vector<MergeRule>& merges() const { return merges_; }

 private:
  class WordCache;

  static constexpr std::size_t kCommonCharacters = 0x200;

  std::optional<TokenId> find(const std::string& token) const;
  std::string with_affixes(std::string_view character, bool is_first, bool is_last) const;
  bool append_bytes(std::string_view character, TokenIds& symbols) const;
  TokenId unknown_token() const;
  TokenIds first_symbols(std::string_view piece) const;
  TokenIds merge(std::string_view piece) const;

  std::string continuing_prefix_;  // of tokens inside a word
  std::string word_suffix_;        // of the token at its end
  Vocabulary vocabulary_;
  std::unordered_set<TokenId> ids_;
  std::vector<MergeRule> merges_;
  MergeTable table_;
  std::array<std::optional<TokenId>, kCommonCharacters> character_tokens_;  // by code point
  std::optional<std::string> unknown_;
  bool fuse_unknown_;
  bool byte_fallback_;
  bool ignore_merges_;  // a pre-token that is in the vocabulary is that token, whatever the merges say
  std::unique_ptr<WordCache> cache_;
};

}  // namespace specthink::inline text
