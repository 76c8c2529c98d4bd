// What the user wants continued: from an argument, a file or stdin. On rank 0.
#pragma once

#include <string>

#include "specthink/base/json.h"
#include "specthink/config/settings.h"
#include "specthink/text/chat_template.h"

namespace specthink::inline app {

/// The positional argument, --prompt-file, or all of stdin. Throws UserError when there is nothing, or when stdin is a
/// terminal and nothing was given.
std::string read_text_input(const GenerateSettings& settings);

/// --messages as a list of {"role", "content"}; otherwise the text input as one user message. Throws UserError.
OrderedJson read_messages(const GenerateSettings& settings);

}  // namespace specthink::inline app
