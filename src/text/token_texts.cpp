#include "text/token_texts.h"

#include <algorithm>

#include "text/byte_level.h"

namespace specthink::inline text {

TokenTexts::TokenTexts(const BpeModel& model, const AddedVocabulary& added) {
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
    if (token) bytes_ += from_byte_level(*token).value_or(*token);
  }
  starts_.push_back(bytes_.size());
}

std::string_view TokenTexts::bytes(TokenId id) const {
  if (!contains(id)) return {};
  const auto index = static_cast<std::size_t>(id);
  return std::string_view(bytes_).substr(starts_[index], starts_[index + 1] - starts_[index]);
}

}  // namespace specthink::inline text
