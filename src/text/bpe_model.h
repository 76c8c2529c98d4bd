// The BPE model of a tokenizer.json: vocabulary and merges.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "specthink/base/types.h"
#include "text/json_view.h"
#include "text/merge_table.h"

namespace specthink::inline text {

/// Tokens are written in the byte-level alphabet (text/byte_level.h).
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

  /// Appends the tokens of one pre-token. Bytes that are not in the vocabulary become the unknown token, if there is
  /// one, and vanish otherwise.
  void encode(std::string_view bytes, TokenIds& ids) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }
  const std::vector<MergeRule>& merges() const { return merges_; }

 private:
  class WordCache;

  void read_unknown_token(const JsonView& model);
  TokenIds first_symbols(std::string_view bytes) const;
  TokenIds merge(std::string_view bytes) const;

  Vocabulary vocabulary_;
  std::vector<MergeRule> merges_;
  MergeTable table_;
  std::array<std::optional<TokenId>, 256> byte_tokens_;
  std::optional<TokenId> unknown_;
  bool fuse_unknown_ = false;
  bool ignore_merges_ = false;  // a pre-token that is in the vocabulary is that token, whatever the merges say
  std::unique_ptr<WordCache> cache_;
};

}  // namespace specthink::inline text
