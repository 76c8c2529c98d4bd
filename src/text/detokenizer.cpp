#include "specthink/text/detokenizer.h"

#include <utility>

#include "specthink/base/strings.h"

namespace specthink::inline text {

std::string IncrementalDetokenizer::push(TokenId id) {
  pending_ += tokenizer_->bytes(id);
  while (to_strip_ > 0 && !pending_.empty()) {
    const bool strips = pending_.starts_with(tokenizer_->stripped());
    to_strip_ = strips ? to_strip_ - 1 : 0;
    if (strips) pending_.erase(0, tokenizer_->stripped().size());
  }
  const std::size_t complete = pending_.size() - incomplete_utf8_suffix(pending_);
  std::string text = replace_invalid_utf8(std::string_view(pending_).substr(0, complete));
  pending_.erase(0, complete);
  return text;
}

std::string IncrementalDetokenizer::flush() { return replace_invalid_utf8(std::exchange(pending_, {})); }

}  // namespace specthink::inline text
