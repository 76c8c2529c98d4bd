#include "specthink/model/page_allocator.h"

#include <gtest/gtest.h>

#include "specthink/base/error.h"

namespace specthink {
namespace {

using Pages = std::vector<std::int32_t>;

TEST(page_allocator, gives_the_lowest_free_pages_in_order) {
  PageAllocator allocator(6);
  EXPECT_EQ(allocator.allocate(2), (Pages{0, 1}));
  EXPECT_EQ(allocator.allocate(3), (Pages{2, 3, 4}));
  allocator.release(Pages{1, 3});
  EXPECT_EQ(allocator.allocate(3), (Pages{1, 3, 5}));
  EXPECT_EQ(allocator.num_free(), 0);
}

TEST(page_allocator, takes_nothing_when_there_is_too_little) {
  PageAllocator allocator(3);
  EXPECT_EQ(allocator.allocate(4), std::nullopt);
  EXPECT_EQ(allocator.num_free(), 3);
  EXPECT_EQ(allocator.allocate(0), Pages{});
  EXPECT_EQ(allocator.allocate(3), (Pages{0, 1, 2}));
}

TEST(page_allocator, a_shared_page_is_free_when_the_last_holder_has_released_it) {
  PageAllocator allocator(3);
  const Pages pages = *allocator.allocate(2);
  allocator.share(Pages{0});
  allocator.release(pages);
  EXPECT_EQ(allocator.num_free(), 2);
  EXPECT_EQ(allocator.allocate(2), (Pages{1, 2})) << "page 0 still has a holder";
  allocator.release(Pages{0});
  EXPECT_EQ(allocator.allocate(1), (Pages{0}));
  allocator.release(Pages{0});
  EXPECT_THROW(allocator.share(Pages{0}), InternalError) << "nobody has it";
}

TEST(page_allocator, a_page_is_given_back_once) {
  PageAllocator allocator(3);
  const Pages pages = *allocator.allocate(2);
  allocator.release(pages);
  EXPECT_THROW(allocator.release(Pages{0}), InternalError);
  EXPECT_THROW(allocator.release(Pages{3}), InternalError) << "there is no such page";
}

}  // namespace
}  // namespace specthink
