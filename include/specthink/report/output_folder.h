// The folder that result files go to.
#pragma once

#include <filesystem>

namespace specthink::inline report {

/// Makes the folder and tries to write into it, so that a long job finds out before it starts. Throws UserError when
/// the path is no folder, EnvironmentError when it cannot be made or written.
void prepare_output_folder(const std::filesystem::path& folder);

}  // namespace specthink::inline report
