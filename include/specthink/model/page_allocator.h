// Which pages of a KV cache are free. Pure logic: every rank makes the same calls and gets the same pages.
#pragma once

#include <cstddef>
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

  /// Sequences that have this page, which is not free.
  int num_holders(std::int32_t page) const;

  /// Another sequence reads these pages, which are not free: each is free when all that have it have released it.
  void share(std::span<const std::int32_t> pages);

  /// The pages must have come from allocate() or been shared, and not be free.
  void release(std::span<const std::int32_t> pages);

 private:
  int& holders_of(std::int32_t page);

  std::vector<int> holders_;  // of each page
  std::set<std::int32_t> free_;
};

}  // namespace specthink::inline model
