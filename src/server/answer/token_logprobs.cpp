#include "server/answer/token_logprobs.h"

#include <cmath>
#include <utility>

#include "specthink/base/utf8.h"

namespace specthink::inline server {
namespace {

/// What the API says of a token whose probability is not known; here a token that no model chose.
constexpr double kUnknown = -9999.0;

Json bytes_json(const std::string& bytes) {
  Json list = Json::array();
  for (const char byte : bytes) list.push_back(static_cast<unsigned char>(byte));
  return list;
}

}  // namespace

void TokenLogprobs::push(TokenId id, float logprob) {
  Token& token = tokens_.emplace_back();
  token.text = tokenizer_.decode({&id, 1});
  token.bytes = tokenizer_.bytes(id);
  if (token.bytes.empty()) token.bytes = token.text;  // special tokens, which are no text
  token.logprob = std::isnan(logprob) ? kUnknown : logprob;
}

Json TokenLogprobs::take() {
  if (tokens_.empty()) return nullptr;
  const std::vector<Token> tokens = std::exchange(tokens_, {});
  if (endpoint_ == Endpoint::chat) {
    Json content = Json::array();
    for (const Token& token : tokens) {
      content.push_back({{"token", token.text},
                         {"logprob", token.logprob},
                         {"bytes", bytes_json(token.bytes)},
                         {"top_logprobs", Json::array()}});
    }
    return {{"content", std::move(content)}, {"refusal", nullptr}};
  }
  Json lists{{"tokens", Json::array()},
             {"token_logprobs", Json::array()},
             {"top_logprobs", nullptr},
             {"text_offset", Json::array()}};
  for (const Token& token : tokens) {
    lists["tokens"].push_back(token.text);
    lists["token_logprobs"].push_back(token.logprob);
    lists["text_offset"].push_back(offset_);
    offset_ += count_characters(token.text);
  }
  return lists;
}

}  // namespace specthink::inline server
