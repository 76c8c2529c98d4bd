#include "specthink/base/local_time.h"

#include <gtest/gtest.h>

namespace specthink {
namespace {

TEST(local_time, has_the_fields_of_the_local_time) {
  const std::time_t time = 1700000000;
  std::tm local{};
  localtime_r(&time, &local);
  EXPECT_EQ(format_local_time(time, "at %Y %%"), "at " + std::to_string(1900 + local.tm_year) + " %");
  EXPECT_EQ(format_local_time(time, "%H").size(), 2u);
  EXPECT_EQ(format_local_time(time, "%500d").size(), 500u);
  EXPECT_EQ(format_local_time(time, "%64000d"), "");
  EXPECT_EQ(format_local_time(time, ""), "");
}

}  // namespace
}  // namespace specthink
