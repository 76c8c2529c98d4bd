// The texts of recorded runs, as token ids.
#pragma once

#include <filesystem>
#include <vector>

#include "specthink/report/trace.h"
#include "specthink/text/tokenizer.h"

namespace specthink::inline replay {

/// For each trace the ids of the text that the run of its problem and number has in a result file (`generated_text`;
/// files of several modes: that of speculative thinking). Throws UserError for a file that is no result file or lacks
/// one of the runs.
std::vector<TokenIds> read_texts(const std::filesystem::path& file, const std::vector<Trace>& traces,
                                 const Tokenizer& tokenizer);

}  // namespace specthink::inline replay
