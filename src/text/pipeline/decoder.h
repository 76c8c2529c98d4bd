// The "decoder" of a tokenizer.json: from tokens back to text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "text/json_view.h"
#include "text/regex.h"

namespace specthink::inline text {

class Decoder {
 public:
  /// No view: tokens are joined with spaces. ByteLevel, BPEDecoder, ByteFallback, Fuse, Metaspace, Replace, Strip,
  /// WordPiece and Sequences of them; throws UserError for others.
  explicit Decoder(const std::optional<JsonView>& view);

  /// The text of all tokens, valid UTF-8: what is none becomes U+FFFD as in the reference.
  std::string decode(std::vector<std::string> tokens) const;

  /// The bytes that a token adds to a text that has begun; they need not be whole characters.
  std::string token_bytes(std::string_view token) const;

  /// True for ByteLevel alone: the text of several tokens is the bytes of each, joined.
  bool joins_bytes() const;

  /// How many of `stripped()` the beginning of a decoded text loses.
  int leading_strip() const { return leading_strip_; }
  std::string_view stripped() const { return stripped_; }

 private:
  struct ByteLevel {};
  struct ByteFallback {};
  struct Fuse {};
  struct Suffix {
    std::string text;  // marks the end of a word
  };
  struct Metaspace {
    std::string replacement;
    bool drops_first;  // the one that was prepended
  };
  struct WordPiece {
    std::string prefix;  // marks what goes on with a word
    bool cleanup;        // no blank before punctuation and contractions
    std::string text(std::string_view token) const;
  };
  struct Replace {
    Regex pattern;
    std::string content;
  };
  struct Strip {
    std::string character;
    int start;
    int stop;
  };
  using Step = std::variant<ByteLevel, ByteFallback, Fuse, Suffix, Metaspace, WordPiece, Replace, Strip>;

  void read(const JsonView& view);
  void find_leading_strip();
  static std::vector<std::string> apply(const Step& step, std::vector<std::string> tokens);

  bool joins_with_spaces_;
  std::vector<Step> steps_;
  int leading_strip_ = 0;
  std::string stripped_;
};

}  // namespace specthink::inline text
