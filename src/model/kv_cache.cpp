#include "model/kv_cache.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>

#include "specthink/base/error.h"

namespace specthink::inline model {

KvCache::KvCache(const ModelConfig& config, const ShardPlan& plan, std::int64_t pages, at::ScalarType type,
                 c10::Device device)
    : pages_(kMaxSequences), consecutive_(kMaxSequences, true) {
  check(pages > 0, "a KV cache without room");
  const at::TensorOptions options(device);
  storage_ = at::empty({config.num_layers, 2, pages, kPageTokens, plan.num_kv_heads_local, config.head_dim},
                       options.dtype(type));
  page_tables_ = at::zeros({kMaxSequences, pages}, options.dtype(at::kInt));
}

void KvCache::set_pages(int slot, std::span<const std::int32_t> pages) {
  const auto index = static_cast<std::size_t>(slot);
  check(index < pages_.size() && static_cast<std::int64_t>(pages.size()) <= num_pages(), "pages of a slot");
  pages_[index].assign(pages.begin(), pages.end());
  consecutive_[index] =
      std::adjacent_find(pages.begin(), pages.end(), [](auto a, auto b) { return b != a + 1; }) == pages.end();
  if (pages.empty()) return;
  const auto count = static_cast<std::int64_t>(pages.size());
  const bool pinned = !page_tables_.is_cpu();
  const at::Tensor host = at::empty({count}, at::TensorOptions(at::kInt).pinned_memory(pinned));
  std::copy(pages.begin(), pages.end(), host.mutable_data_ptr<std::int32_t>());
  page_tables_.select(0, slot).narrow(0, 0, count).copy_(host, /*non_blocking=*/true);
}

void KvCache::copy_page(std::int32_t from, std::int32_t to, std::int64_t positions) {
  const auto part = [&](std::int32_t page) { return storage_.select(2, page).narrow(2, 0, positions); };
  part(to).copy_(part(from), /*non_blocking=*/true);
}

std::int64_t KvCache::row_of(int slot, std::int64_t position) const {
  return pages(slot)[static_cast<std::size_t>(position / kPageTokens)] * std::int64_t{kPageTokens} +
         position % kPageTokens;
}

void KvCache::store(std::int64_t layer, int slot, std::int64_t first_position, const at::Tensor& keys,
                    const at::Tensor& values) {
  at::Tensor all_keys = plane(layer, 0);
  at::Tensor all_values = plane(layer, 1);
  const std::int64_t count = keys.size(0);
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t position = first_position + done;
    const std::int64_t left =
        consecutive_[static_cast<std::size_t>(slot)] ? count : kPageTokens - position % kPageTokens;
    const std::int64_t rows = std::min(count - done, left);
    const std::int64_t to = row_of(slot, position);
    all_keys.narrow(0, to, rows).copy_(keys.narrow(0, done, rows));
    all_values.narrow(0, to, rows).copy_(values.narrow(0, done, rows));
    done += rows;
  }
}

at::Tensor KvCache::plane(std::int64_t layer, int which) const {
  return storage_.select(0, layer).select(0, which).flatten(0, 1);
}

at::Tensor KvCache::gather(std::int64_t layer, int which, int slot, std::int64_t length) const {
  if (consecutive_[static_cast<std::size_t>(slot)]) return plane(layer, which).narrow(0, row_of(slot, 0), length);
  const at::Tensor table = page_tables_.select(0, slot).narrow(0, 0, (length + kPageTokens - 1) / kPageTokens);
  return storage_.select(0, layer).select(0, which).index_select(0, table).flatten(0, 1).narrow(0, 0, length);
}

}  // namespace specthink::inline model
