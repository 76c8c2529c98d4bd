// Text of a token stream as it grows, in whole characters.
#pragma once

#include <string>

#include "specthink/base/types.h"
#include "specthink/text/tokenizer.h"

namespace specthink::inline text {

class IncrementalDetokenizer {
 public:
  explicit IncrementalDetokenizer(const Tokenizer& tokenizer)
      : tokenizer_(&tokenizer), to_strip_(tokenizer.leading_strip()) {}

  /// The text that has become complete with this token; special tokens add none. Bytes that can no longer become a
  /// character come out as U+FFFD. The concatenation of all results equals decode(ids, skip_special_tokens = true).
  std::string push(TokenId id);

  /// What is left when no token follows: an unfinished character as U+FFFD.
  std::string flush();

 private:
  const Tokenizer* tokenizer_;
  int to_strip_;  // of what the beginning of a text loses
  std::string pending_;
};

}  // namespace specthink::inline text
