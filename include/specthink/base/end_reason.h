// Why a request to a model ended, as whoever samples its tokens finds it.
#pragma once

#include <cstdint>

namespace specthink::inline base {

/// Where several hold for one token, the first of eos, trigger, length counts.
enum class EndReason : std::uint8_t {
  length,   ///< max_tokens are written
  eos,      ///< the last token is an EOS of the model that wrote it
  trigger,  ///< the last token completes a trigger string; only where the request asks to stop there
};

}  // namespace specthink::inline base
