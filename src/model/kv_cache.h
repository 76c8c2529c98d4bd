// Keys and values of the tokens so far.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>

#include "specthink/model/model_config.h"
#include "specthink/model/shard_plan.h"

namespace specthink {

/// Pages of kPageTokens tokens, [page, kPageTokens, kv_heads_local, head_dim] per layer for keys and for values. Each
/// slot (sequence) has a contiguous run of pages, an identity page table, so that a slot's tokens are one
/// [tokens, kv_heads_local, head_dim] view.
class KvCache {
 public:
  /// `capacity` tokens a slot, rounded up to whole pages.
  KvCache(const ModelConfig& config, const ShardPlan& plan, int slots, std::int64_t capacity, at::ScalarType type,
          c10::Device device);

  /// Tokens that a slot holds at most.
  std::int64_t capacity() const { return pages_per_slot_ * page_tokens_; }
  const at::Tensor& storage() const { return storage_; }
  std::int64_t bytes() const { return static_cast<std::int64_t>(storage_.nbytes()); }

  at::Tensor keys(std::int64_t layer, int slot) const {
    return view(layer, 0, slot);
  }  // [capacity, kv_heads_local, head_dim]
  at::Tensor values(std::int64_t layer, int slot) const { return view(layer, 1, slot); }  // the same

  /// Of all slots one after the other: position p of slot s is row s·capacity + p.
  at::Tensor all_keys(std::int64_t layer) const {
    return plane(layer, 0);
  }  // [slots·capacity, kv_heads_local, head_dim]
  at::Tensor all_values(std::int64_t layer) const { return plane(layer, 1); }  // the same

 private:
  at::Tensor view(std::int64_t layer, int which, int slot) const;
  at::Tensor plane(std::int64_t layer, int which) const;

  std::int64_t page_tokens_;
  std::int64_t pages_per_slot_;
  at::Tensor storage_;  // [layers, 2, slots·pages_per_slot, page_tokens, kv_heads_local, head_dim]
};

}  // namespace specthink
