// JSON in which a repeated key is a mistake: a second tensor of the same name must not replace the first unnoticed.
#pragma once

#include <string>
#include <string_view>

#include "specthink/base/json.h"

namespace specthink::inline model {

/// As parse_json(); also throws UserError naming the first key that occurs twice in one object.
Json parse_json_unique(std::string_view text, const std::string& source);

/// A name out of an untrusted file as it goes into a message: in double quotes, control characters escaped.
std::string quoted(const std::string& name);

}  // namespace specthink::inline model
