// Reading the rotary position embedding's settings out of config.json.
#pragma once

#include "model/description/config_reader.h"
#include "model/families/family.h"
#include "specthink/model/model_config.h"

namespace specthink::inline model {

/// Longest context that a model may declare. Bounds products; see model_config.cpp.
constexpr std::int64_t kMaxContext = std::int64_t{1} << 28;

/// The settings in either spelling, with the precedence and defaults of transformers' convert_rope_params_to_dict and
/// ROPE_INIT_FUNCTIONS. Throws UserError.
RopeConfig parse_rope(const ConfigReader& config, const Family& family, std::int64_t head_dim,
                      std::int64_t max_position_embeddings);

/// The longest context that the model can be run with: a dynamic rope stretches the declared one by its factor, the
/// other types are declared as stretched.
std::int64_t longest_context(const RopeConfig& rope, std::int64_t max_position_embeddings);

}  // namespace specthink::inline model
