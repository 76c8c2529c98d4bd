// Keys and values of the tokens so far, of several sequences.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <span>
#include <vector>

#include "specthink/kernels/limits.h"
#include "specthink/model/model_config.h"
#include "specthink/model/shard_plan.h"

namespace specthink::inline model {

/// Pages of kPageTokens positions. A slot (sequence) has a list of pages: its position p lies in row p % kPageTokens of
/// page pages[p / kPageTokens]. Who has which pages is decided elsewhere (PageAllocator).
class KvCache {
 public:
  KvCache(const ModelConfig& config, const ShardPlan& plan, std::int64_t pages, at::ScalarType type,
          c10::Device device);

  std::int64_t num_pages() const { return storage_.size(2); }
  std::int64_t bytes() const { return static_cast<std::int64_t>(storage_.nbytes()); }
  const at::Tensor& storage() const { return storage_; }  // [layers, 2, pages, kPageTokens, kv_heads_local, head_dim]

  /// The page tables of all slots, [kMaxSequences, num_pages] int32 on the device; row s begins with the pages of slot s.
  const at::Tensor& page_tables() const { return page_tables_; }

  /// From now on the slot's sequence lies in these pages; a copy to the device is queued on the current stream.
  void set_pages(int slot, std::span<const std::int32_t> pages);

  /// Copies the first `positions` positions of a page in all layers; queued on the current stream.
  void copy_page(std::int32_t from, std::int32_t to, std::int64_t positions);

  /// Positions that the slot has pages for.
  std::int64_t capacity(int slot) const { return static_cast<std::int64_t>(pages(slot).size()) * kPageTokens; }
  const std::vector<std::int32_t>& pages(int slot) const { return pages_[static_cast<std::size_t>(slot)]; }
  /// The row of the planes that a position lies in.
  std::int64_t row_of(int slot, std::int64_t position) const;

  /// Positions 0 to length - 1 of a slot, [length, kv_heads_local, head_dim]: a view where the pages lie one behind the
  /// other, else a copy.
  at::Tensor keys(std::int64_t layer, int slot, std::int64_t length) const { return gather(layer, 0, slot, length); }
  at::Tensor values(std::int64_t layer, int slot, std::int64_t length) const { return gather(layer, 1, slot, length); }

  /// Puts keys and values [rows, kv_heads_local, head_dim] of consecutive positions there.
  void store(std::int64_t layer, int slot, std::int64_t first_position, const at::Tensor& keys,
             const at::Tensor& values);

  /// All pages one behind the other, [pages · kPageTokens, kv_heads_local, head_dim].
  at::Tensor all_keys(std::int64_t layer) const { return plane(layer, 0); }
  at::Tensor all_values(std::int64_t layer) const { return plane(layer, 1); }

 private:
  at::Tensor plane(std::int64_t layer, int which) const;
  at::Tensor gather(std::int64_t layer, int which, int slot, std::int64_t length) const;

  std::vector<std::vector<std::int32_t>> pages_;  // of each slot
  std::vector<bool> consecutive_;                 // whether these lie one behind the other
  at::Tensor storage_;
  at::Tensor page_tables_;
};

}  // namespace specthink::inline model
