// The target's share of the tokens in a recorded benchmark.
#pragma once

#include <filesystem>

namespace specthink::inline report {

/// The mean real share of the runs by both models in a result file (0 to 1). Throws UserError for a file that is none,
/// or of the original program, which counts no real share.
double read_target_share(const std::filesystem::path& result_file);

}  // namespace specthink::inline report
