// Loading a rank's part of a model's weights.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <functional>

#include "model/checkpoint/read_ahead.h"
#include "specthink/config/settings.h"
#include "specthink/kernels/loaded_shard.h"
#include "specthink/model/checkpoint.h"
#include "specthink/model/model_config.h"
#include "specthink/model/shard_plan.h"

namespace specthink::inline model {

/// Sees the number of each layer before it is loaded.
using LayerSink = std::function<void(std::int64_t layer)>;

/// Throws what load_weights would throw for a missing tensor or a wrong shape, without reading any data.
void check_weights(const Checkpoint& checkpoint, const ModelConfig& config, const ShardPlan& plan);

/// What load_weights reads, in its order; where weights are quantised, without these.
std::vector<FilePart> planned_reads(const Checkpoint& checkpoint, const ModelConfig& config, const ShardPlan& plan);

/// Copies this rank's slices from the checkpoint to the device, one tensor at a time. Throws UserError for a missing
/// tensor or a wrong shape, before anything of it is read.
ModelWeights load_weights(const Checkpoint& checkpoint, const ModelConfig& config, const ShardPlan& plan, DType dtype,
                          c10::Device device, const LayerSink& on_layer = {});

/// Random weights of the same shapes, made on the device; the same model for any number of ranks.
ModelWeights dummy_weights(const ModelConfig& config, const ShardPlan& plan, DType dtype, c10::Device device,
                           std::uint64_t seed, const LayerSink& on_layer = {});

at::ScalarType scalar_type(DType type);

}  // namespace specthink::inline model
