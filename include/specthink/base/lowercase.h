// Unicode lower case.
#pragma once

#include <string>
#include <string_view>

namespace specthink::inline base {

/// `text` (UTF-8) in lower case, as Python's str.lower() gives it. Invalid bytes pass through.
std::string lowercase(std::string_view text);

}  // namespace specthink::inline base
