// Reading which layers see only a window of positions out of config.json.
#pragma once

#include <cstdint>
#include <vector>

#include "model/description/config_reader.h"
#include "model/families/family.h"

namespace specthink::inline model {

/// ModelDescription::windows: empty when no layer has one. Throws UserError.
std::vector<std::int64_t> parse_windows(const ConfigReader& config, const Family& family, std::int64_t num_layers);

}  // namespace specthink::inline model
