// Loading a rank's part of a model's weights.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "model/checkpoint/stored_tensors.h"
#include "specthink/config/settings.h"
#include "specthink/kernels/loaded_shard.h"
#include "specthink/model/checkpoint.h"
#include "specthink/model/model_config.h"
#include "specthink/model/shard_plan.h"

namespace specthink::inline model {

/// Sees how far loading is before each layer.
using LoadSink = std::function<void(const LoadProgress&)>;

/// Throws what load_weights would throw for a missing tensor or a wrong shape, without reading any data.
void check_weights(const Checkpoint& checkpoint, const ModelConfig& config, const ShardPlan& plan);

/// What load_weights reads, in its order.
std::vector<StoredRows> planned_reads(const Checkpoint& checkpoint, const ModelConfig& config, const ShardPlan& plan);

/// Copies this rank's slices from the checkpoint to the device, one tensor at a time; on a GPU the last copies may
/// still be queued. Throws UserError for a missing tensor or a wrong shape, before anything is read, and as
/// MappedFile::read() does.
ModelWeights load_weights(const Checkpoint& checkpoint, const ModelConfig& config, const ShardPlan& plan, DType dtype,
                          c10::Device device, const LoadSink& on_layer = {});

/// Random weights of the same shapes, made on the device; the same model for any number of ranks.
ModelWeights dummy_weights(const ModelConfig& config, const ShardPlan& plan, DType dtype, c10::Device device,
                           std::uint64_t seed, const LoadSink& on_layer = {});

at::ScalarType scalar_type(DType type);

}  // namespace specthink::inline model
