// What every token id adds to a text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "specthink/base/types.h"
#include "text/added_vocabulary.h"
#include "text/bpe_model.h"
#include "text/pipeline/decoder.h"

namespace specthink::inline text {

class TokenTexts {
 public:
  TokenTexts(const BpeModel& model, const AddedVocabulary& added, const Decoder& decoder);

  /// Bytes, which need not be whole characters; none for ids without a token.
  std::string_view bytes(TokenId id) const;

  /// The token as it is written, where the decoder needs that; nothing for ids without one.
  std::optional<std::string_view> token(TokenId id) const;

  bool is_special(TokenId id) const { return contains(id) && special_[static_cast<std::size_t>(id)]; }
  std::size_t size() const { return special_.size(); }

 private:
  bool contains(TokenId id) const { return id >= 0 && static_cast<std::size_t>(id) < special_.size(); }

  std::string bytes_;
  std::vector<std::optional<std::string>> written_;  // by id; empty where bytes are all that is needed
  std::vector<std::size_t> starts_;                  // [size + 1], into bytes_
  std::vector<bool> special_;
};

}  // namespace specthink::inline text
