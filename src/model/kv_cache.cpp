#include "model/kv_cache.h"

#include <ATen/ATen.h>

#include "specthink/base/error.h"
#include "specthink/model/memory_plan.h"

namespace specthink {

KvCache::KvCache(const ModelConfig& config, const ShardPlan& plan, int slots, std::int64_t capacity,
                 at::ScalarType type, c10::Device device)
    : page_tokens_(kPageTokens), pages_per_slot_((capacity + kPageTokens - 1) / kPageTokens) {
  check(slots > 0 && capacity > 0, "a KV cache without room");
  storage_ =
      at::empty({config.num_layers, 2, slots * pages_per_slot_, page_tokens_, plan.num_kv_heads_local, config.head_dim},
                at::TensorOptions(device).dtype(type));
}

at::Tensor KvCache::view(std::int64_t layer, int which, int slot) const {
  return plane(layer, which).narrow(0, slot * capacity(), capacity());
}

at::Tensor KvCache::plane(std::int64_t layer, int which) const {
  return storage_.select(0, layer).select(0, which).flatten(0, 1);
}

}  // namespace specthink
