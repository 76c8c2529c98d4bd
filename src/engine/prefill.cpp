#include "engine/prefill.h"

#include <algorithm>

#include "specthink/base/error.h"

namespace specthink::inline engine {

at::Tensor prefill(const PrefillContext& context, int slot, std::int64_t position, std::span<const TokenId> tokens) {
  check(!tokens.empty(), "a prefill of some tokens");
  at::Tensor hidden;
  while (!tokens.empty()) {
    const auto count = std::min(tokens.size(), static_cast<std::size_t>(context.prefill_rows));
    context.group.mark(count > 1 ? Phase::prefill : Phase::decode, position);
    hidden = context.model.prefill({slot, position, tokens.first(count)});
    position += static_cast<std::int64_t>(count);
    tokens = tokens.subspan(count);
  }
  return hidden;
}

}  // namespace specthink::inline engine
