// Where a command finds its task file.
#pragma once

#include <filesystem>
#include <string>

#include "specthink/config/settings.h"

namespace specthink::inline app {

/// The file of --task; without one AIME25 of the shipped configurations, beside the program's build folder or here.
/// Throws UserError.
std::filesystem::path task_file(const Settings& settings);

/// A task by the name of its file, without ending and in any case, or the file itself: NAME.yml or NAME.yaml in
/// --data-dir, its folder tasks, or the shipped configs/tasks. Throws UserError that names the tasks there are.
std::filesystem::path find_task(const std::string& name, const Settings& settings);

}  // namespace specthink::inline app
