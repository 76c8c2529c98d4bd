#include "text/token_texts.h"

#include <algorithm>

namespace specthink::inline text {

TokenTexts::TokenTexts(const BpeModel& model, const AddedVocabulary& added, const Decoder& decoder) {
  TokenId last = -1;
  for (const auto& [token, id] : model.vocabulary()) last = std::max(last, id);
  for (const auto& [id, token] : added.tokens()) last = std::max(last, id);
  const auto count = static_cast<std::size_t>(last) + 1;

  std::vector<const std::string*> written(count, nullptr);
  for (const auto& [token, id] : model.vocabulary()) written[static_cast<std::size_t>(id)] = &token;
  for (const auto& [id, token] : added.tokens()) written[static_cast<std::size_t>(id)] = &token.matched;

  starts_.reserve(count + 1);
  special_.reserve(count);
  for (const std::string* token : written) {
    starts_.push_back(bytes_.size());
    special_.push_back(token && added.is_special(*token));
    // The decoder takes the byte-level alphabet for bytes, in added tokens too; other text stands for itself.
    if (token) bytes_ += decoder.token_bytes(*token);
    if (!decoder.joins_bytes()) written_.push_back(token ? std::optional(*token) : std::nullopt);
  }
  starts_.push_back(bytes_.size());
}

std::optional<std::string_view> TokenTexts::token(TokenId id) const {
  if (id < 0 || static_cast<std::size_t>(id) >= written_.size()) return std::nullopt;
  return written_[static_cast<std::size_t>(id)];
}

std::string_view TokenTexts::bytes(TokenId id) const {
  if (!contains(id)) return {};
  const auto index = static_cast<std::size_t>(id);
  return std::string_view(bytes_).substr(starts_[index], starts_[index + 1] - starts_[index]);
}

}  // namespace specthink::inline text
