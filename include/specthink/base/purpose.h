// What a request to a model is for.
#pragma once

#include <cstdint>

#include "specthink/base/types.h"

namespace specthink::inline base {

/// The values are part of the key of every random draw: changing one changes the tokens of a seed.
enum class Purpose : std::uint32_t {
  segment = 0,   ///< draft, text that stays
  probe = 1,     ///< draft, looks ahead: text that is judged before it stays
  answer = 2,    ///< target, its answer to a probe
  takeover = 3,  ///< target, text that stays (also the whole answer in normal mode)
  coin = 4,      ///< no request: whether the target writes a passage (policy random)
};

/// The model that a request for this goes to (in normal mode the draft alone writes a segment).
constexpr Role role_of(Purpose purpose) {
  return purpose == Purpose::segment || purpose == Purpose::probe ? Role::draft : Role::target;
}

}  // namespace specthink::inline base
