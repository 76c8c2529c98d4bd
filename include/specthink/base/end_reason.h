// Why a request to a model ended, as whoever samples its tokens finds it.
#pragma once

#include <cstdint>

namespace specthink::inline base {

/// Where several hold for one token, the first of uncertain, eos, stop_token, trigger, length counts.
enum class EndReason : std::uint8_t {
  length,      ///< max_tokens are written
  eos,         ///< the last token is an EOS of the model that wrote it
  trigger,     ///< the last token completes a stop string; only where the request asks to stop there
  stop_token,  ///< the last token is the request's stop token, such as that of </think>
  uncertain,   ///< the entropy of the last token's distribution is above the request's limit
};

}  // namespace specthink::inline base
