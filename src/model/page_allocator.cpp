#include "specthink/model/page_allocator.h"

#include "specthink/base/error.h"

namespace specthink::inline model {

PageAllocator::PageAllocator(std::int64_t pages) {
  check(pages >= 0, "a cache of pages");
  holders_.resize(static_cast<std::size_t>(pages));
  for (std::int64_t page = 0; page < pages; ++page) free_.insert(free_.end(), static_cast<std::int32_t>(page));
}

std::optional<std::vector<std::int32_t>> PageAllocator::allocate(std::int64_t count) {
  check(count >= 0, "a number of pages");
  if (count > num_free()) return std::nullopt;
  const auto end = std::next(free_.begin(), count);
  std::vector<std::int32_t> pages(free_.begin(), end);
  free_.erase(free_.begin(), end);
  for (const std::int32_t page : pages) holders_[static_cast<std::size_t>(page)] = 1;
  return pages;
}

int& PageAllocator::holders_of(std::int32_t page) {
  check(page >= 0 && static_cast<std::size_t>(page) < holders_.size(), "a page that there is");
  int& holders = holders_[static_cast<std::size_t>(page)];
  check(holders > 0, "a page that was taken");
  return holders;
}

int PageAllocator::num_holders(std::int32_t page) const {
  return const_cast<PageAllocator&>(*this).holders_of(page);
}

void PageAllocator::share(std::span<const std::int32_t> pages) {
  for (const std::int32_t page : pages) ++holders_of(page);
}

void PageAllocator::release(std::span<const std::int32_t> pages) {
  for (const std::int32_t page : pages) {
    if (--holders_of(page) == 0) free_.insert(page);
  }
}

}  // namespace specthink::inline model
