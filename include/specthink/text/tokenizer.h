// Byte-level BPE over a Hugging Face tokenizer.json, identical to the reference library (`tokenizers`).
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
  /// Reads `folder`/tokenizer.json and, where present, tokenizer_config.json (for the EOS token).
  /// Throws UserError for a missing or malformed file, or a tokenizer of a kind that is not supported.
  static Tokenizer load(const std::filesystem::path& folder);

  /// As load, from memory; `source` names the text in errors. `config_json` may be empty.
  static Tokenizer parse(std::string_view tokenizer_json, std::string_view config_json, std::string_view source);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Ids of `text`; added and special tokens in it are recognised. Adds no tokens of its own.
  /// Invalid UTF-8 becomes U+FFFD first.
  TokenIds encode(std::string_view text) const;

  /// Text of `ids`. Bytes that are no UTF-8 become U+FFFD; ids without a token are skipped.
  std::string decode(std::span<const TokenId> ids, bool skip_special_tokens = false) const;

  /// The bytes that a token adds to generated text: none for special tokens and unknown ids, the content for other
  /// added tokens. Valid as long as the tokenizer.
  std::string_view bytes(TokenId id) const;

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
