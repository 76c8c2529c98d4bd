#include "specthink/model/page_allocator.h"

#include "specthink/base/error.h"

namespace specthink::inline model {

PageAllocator::PageAllocator(std::int64_t pages) : pages_(pages) {
  check(pages >= 0, "a cache of pages");
  for (std::int64_t page = 0; page < pages; ++page) free_.insert(free_.end(), static_cast<std::int32_t>(page));
}

std::optional<std::vector<std::int32_t>> PageAllocator::allocate(std::int64_t count) {
  check(count >= 0, "a number of pages");
  if (count > num_free()) return std::nullopt;
  const auto end = std::next(free_.begin(), count);
  std::vector<std::int32_t> pages(free_.begin(), end);
  free_.erase(free_.begin(), end);
  return pages;
}

void PageAllocator::release(std::span<const std::int32_t> pages) {
  for (const std::int32_t page : pages) {
    check(page >= 0 && page < pages_ && free_.insert(page).second, "a page that is given back was taken");
  }
}

}  // namespace specthink::inline model
