// BPE over the tokenizer files of a Hugging Face folder, byte-level or SentencePiece style, identical to the reference
// library (`tokenizers`, with what transformers puts on top of tokenizer.json).
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "specthink/base/types.h"

namespace specthink::inline text {

class Tokenizer {
 public:
  /// Reads `folder`/tokenizer.json, or vocab.json and merges.txt, and what tokenizer_config.json,
  /// special_tokens_map.json and added_tokens.json say of special and added tokens. Throws UserError for a missing or
  /// malformed file, or a tokenizer of a kind that is not supported.
  static Tokenizer load(const std::filesystem::path& folder);

  /// Whether the folder has the files of a tokenizer.
  static bool is_in(const std::filesystem::path& folder);

  /// As load, from memory; `source` names the text in errors. `config_json` may be empty.
  static Tokenizer parse(std::string_view tokenizer_json, std::string_view config_json, std::string_view source);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Ids of `text`; added and special tokens in it are recognised. Adds no tokens of its own.
  /// Invalid UTF-8 becomes U+FFFD first.
  TokenIds encode(std::string_view text) const;

  /// As encode, with the tokens that the post-processor puts before and behind a text (BOS), as a text is tokenised
  /// that no chat template has made.
  TokenIds encode_framed(std::string_view text) const;

  /// A text that goes on: with what the post-processor puts before it (BOS), unless it begins with that already, as
  /// what a chat template has made does.
  TokenIds encode_with_start(std::string_view text) const;

  /// Text of `ids`. Bytes that are no UTF-8 become U+FFFD; ids without a token are skipped.
  std::string decode(std::span<const TokenId> ids, bool skip_special_tokens = false) const;

  /// The bytes that a token adds to generated text: none for special tokens and unknown ids, the content for other
  /// added tokens. Valid as long as the tokenizer.
  std::string_view bytes(TokenId id) const;

  /// How many of stripped() the beginning of a decoded text loses (a space that was prepended), where bytes() keeps
  /// them.
  int leading_strip() const;
  std::string_view stripped() const;

  bool is_special(TokenId id) const;

  /// The id of a token by its content (as in the vocabulary or among the added tokens).
  std::optional<TokenId> token_id(std::string_view content) const;

  /// One more than the highest id.
  std::size_t size() const;

  /// `eos_token` of tokenizer_config.json.
  std::optional<TokenId> eos_token_id() const;

  /// What makes two tokenizers unfit to share ids: an empty string when base vocabulary and merges are the same,
  /// otherwise the first difference, in words.
  std::string base_difference(const Tokenizer& other) const;

  /// True when the added tokens are the same too.
  bool same_added_tokens(const Tokenizer& other) const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace specthink::inline text
