// Added tokens: recognised in the text before BPE sees it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "specthink/base/types.h"
#include "text/bpe_model.h"
#include "text/json_view.h"

namespace specthink::inline text {

struct AddedToken {
  std::string content;
  std::string matched;       ///< what is looked for: the content, normalized when `normalized`
  bool single_word = false;  ///< only between characters that are no part of a word
  bool lstrip = false;       ///< takes the white space before it along
  bool rstrip = false;       ///< takes the white space behind it along
  bool normalized = false;   ///< looked for in the normalized text instead of the original
  bool special = false;      ///< left out of text for people

  bool operator==(const AddedToken&) const = default;
};

/// A token as JSON writes it, an object with `content`. Flags that are missing are false, `normalized` is the opposite
/// of `special`. Throws UserError.
AddedToken read_added_token(const JsonView& view);

/// Finds the longest of several strings at a place.
class StringTrie {
 public:
  void insert(std::string_view text, TokenId id);

  struct Match {
    TokenId id;
    std::size_t length;
  };
  std::optional<Match> longest_at(std::string_view text) const;

 private:
  static std::uint64_t edge(std::uint32_t node, char byte) {
    return std::uint64_t{node} << 8 | static_cast<std::uint8_t>(byte);
  }

  std::unordered_map<std::uint64_t, std::uint32_t> children_;
  std::vector<std::optional<TokenId>> ids_{std::nullopt};  // by node; the root is 0
  std::array<bool, 256> first_bytes_{};                    // most places in a text are ruled out by this
};

/// What a folder's other files say of added tokens, as transformers puts it on top of tokenizer.json.
struct AddedTokenList {
  struct Named {
    AddedToken token;
    bool is_text = false;  ///< written without flags

    bool operator==(const Named&) const = default;
  };
  std::vector<AddedToken> declared;  ///< of added_tokens_decoder or added_tokens.json, in the order of their ids
  std::vector<Named> named;          ///< bos_token and the others
  std::vector<Named> further;        ///< special tokens without a name
  bool splits_special = false;       ///< special tokens in a text are text (split_special_tokens)
};

class AddedVocabulary {
 public:
  /// Part of a text: one added token, or (no id) text between them.
  struct Section {
    std::string_view text;
    std::optional<TokenId> id;
  };

  using Normalize = std::function<std::string(std::string_view)>;

  /// `tokens` is the "added_tokens" list. As in the reference, a token that the model has keeps the model's id and the
  /// others are numbered from the vocabulary's size on; a file that states other ids is warned about. Of `more`, tokens
  /// that are declared replace those of the list, and special ones come on top where they are missing; a token with a
  /// name is special.
  /// Throws UserError.
  AddedVocabulary(const std::optional<JsonView>& tokens, const AddedTokenList& more, const BpeModel& model,
                  const Normalize& normalize);

  /// `text` cut at the tokens that are looked for in the original text, or those looked for in the normalized one.
  std::vector<Section> split(std::string_view text, bool normalized) const;

  const std::unordered_map<TokenId, AddedToken>& tokens() const { return tokens_; }
  std::optional<TokenId> id(const std::string& content) const;

  /// Whether decoding for people leaves out a token that is written like this.
  bool is_special(const std::string& text) const { return special_.contains(text); }

 private:
  /// Returns the id.
  TokenId add(AddedToken token, const BpeModel& model, const Normalize& normalize, const JsonView* place = nullptr);
  TokenId next_id(const BpeModel& model) const;
  void add_more(const AddedTokenList& more, const BpeModel& model, const Normalize& normalize);

  std::unordered_map<std::string, TokenId> ids_;
  std::unordered_map<TokenId, AddedToken> tokens_;
  std::unordered_set<std::string> special_;
  StringTrie original_;
  StringTrie normalized_;
  bool splits_special_;
};

}  // namespace specthink::inline text
