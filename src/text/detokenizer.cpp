#include "specthink/text/detokenizer.h"

#include <utility>

#include "specthink/base/strings.h"

namespace specthink::inline text {

std::string IncrementalDetokenizer::push(TokenId id) {
  pending_ += tokenizer_->bytes(id);
  const std::size_t complete = pending_.size() - incomplete_utf8_suffix(pending_);
  std::string text = replace_invalid_utf8(std::string_view(pending_).substr(0, complete));
  pending_.erase(0, complete);
  return text;
}

std::string IncrementalDetokenizer::flush() { return replace_invalid_utf8(std::exchange(pending_, {})); }

}  // namespace specthink::inline text
