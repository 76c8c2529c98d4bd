// Log-probabilities of tokens as the OpenAI API gives them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "server/api/completion_request.h"
#include "specthink/base/json.h"
#include "specthink/text/tokenizer.h"

namespace specthink::inline server {

/// Of a choice's tokens, in order, those that no reply has given yet.
class TokenLogprobs {
 public:
  /// The tokenizer must outlive this.
  TokenLogprobs(const Tokenizer& tokenizer, Endpoint endpoint) : tokenizer_(tokenizer), endpoint_(endpoint) {}

  void push(TokenId id, float logprob);

  /// The object `logprobs` of the tokens since the last call; null when there are none.
  Json take();

 private:
  struct Token {
    std::string text;
    std::string bytes;
    double logprob = 0;
  };

  const Tokenizer& tokenizer_;
  Endpoint endpoint_;
  std::vector<Token> tokens_;
  std::size_t offset_ = 0;  // characters of the tokens before
};

}  // namespace specthink::inline server
