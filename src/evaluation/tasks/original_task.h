// Task files of the original.
#pragma once

#include "specthink/config/yaml.h"
#include "specthink/evaluation/task.h"

namespace specthink::inline evaluation {

/// From the map of a task file with a `handler`. Throws UserError with file and line, as load_task().
Task read_original_task(const YamlValue& root, const std::filesystem::path& path);

}  // namespace specthink::inline evaluation
