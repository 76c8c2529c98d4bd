// Names shared by all modules.
#pragma once

#include <cstdint>
#include <vector>

namespace specthink::inline base {

using TokenId = std::int32_t;
using TokenIds = std::vector<TokenId>;

/// Which of the two models.
enum class Role : std::uint8_t { draft = 0, target = 1 };

constexpr const char* name_of(Role role) { return role == Role::draft ? "draft" : "target"; }

}  // namespace specthink::inline base
