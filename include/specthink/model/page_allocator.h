// Which pages of a KV cache are free. Pure logic: every rank makes the same calls and gets the same pages.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <vector>

namespace specthink::inline model {

class PageAllocator {
 public:
  explicit PageAllocator(std::int64_t pages);

  std::int64_t num_free() const { return static_cast<std::int64_t>(free_.size()); }

  /// The `count` lowest free pages, in order, so that a sequence in an empty cache lies in one piece; none when there
  /// are not as many.
  std::optional<std::vector<std::int32_t>> allocate(std::int64_t count);

  /// The pages must have come from allocate() and not be free.
  void release(std::span<const std::int32_t> pages);

 private:
  std::int64_t pages_;
  std::set<std::int32_t> free_;
};

}  // namespace specthink::inline model
