// How a checkpoint's own names and tensors settle what the configuration leaves open.
#pragma once

#include "specthink/model/checkpoint.h"
#include "specthink/model/model_config.h"

namespace specthink::inline model {

/// Names with another wrapper than the family's in front ("layers.0.…", "language_model.model.layers.0.…") are found
/// by the first layer's norm.
///
/// Of a tied pair one tensor is enough, whichever it is. Where both are there and differ the stored head counts, with a
/// warning: the model is not tied then. Throws UserError where the two do not have config.json's shape.
void settle_names(ModelConfig& config, const Checkpoint& checkpoint);

}  // namespace specthink::inline model
