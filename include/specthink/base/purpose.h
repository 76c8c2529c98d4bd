// What a request to a model is for.
#pragma once

#include <cstdint>

#include "specthink/base/types.h"

namespace specthink::inline base {

/// The values are part of the key of every random draw: changing one changes the tokens of a seed.
enum class Purpose : std::uint32_t {
  segment = 0,   ///< draft, until a trigger
  probe = 1,     ///< draft, looks ahead after a trigger
  answer = 2,    ///< target, its answer to a probe
  takeover = 3,  ///< target, text that stays (also the whole answer in normal mode)
};

/// The model that a request for this goes to (in normal mode the draft alone writes a segment).
constexpr Role role_of(Purpose purpose) {
  return purpose == Purpose::segment || purpose == Purpose::probe ? Role::draft : Role::target;
}

}  // namespace specthink::inline base
