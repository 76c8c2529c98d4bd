// Cutting text where its script changes.
#pragma once

#include <string_view>
#include <vector>

#include "text/regex.h"

namespace specthink::inline text {

/// Runs of one script (Latin, Han with the Japanese syllabaries, digits and punctuation, ...). Blanks and characters that
/// Unicode 9 does not know belong to the run before them; those that no run precedes are in none. `text` must be valid
/// UTF-8.
std::vector<Regex::Match> script_pieces(std::string_view text);

}  // namespace specthink::inline text
