#include "specthink/base/python/slice.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace specthink::python {
namespace {

TEST(python_slice, selects_as_python_does) {
  const std::string text = "abcdef";
  EXPECT_EQ(sliced(text, {}), "abcdef");
  EXPECT_EQ(sliced(text, {std::nullopt, std::nullopt, -1}), "fedcba");
  EXPECT_EQ(sliced(text, {-3, std::nullopt, std::nullopt}), "def");
  EXPECT_EQ(sliced(text, {1, 100, 2}), "bdf");
  EXPECT_EQ(sliced(text, {4, 1, -2}), "ec");
  EXPECT_EQ(sliced(text, {std::nullopt, -9, std::nullopt}), "");
  EXPECT_EQ(sliced(text, {9, std::nullopt, std::nullopt}), "");
  EXPECT_EQ(sliced(text, {std::nullopt, std::nullopt, std::numeric_limits<std::int64_t>::max()}), "a");
  EXPECT_EQ(sliced(text, {std::nullopt, std::nullopt, std::numeric_limits<std::int64_t>::min()}), "f");
  EXPECT_EQ(sliced(std::string(), {std::nullopt, std::nullopt, -1}), "");
  EXPECT_THROW(sliced(text, {std::nullopt, std::nullopt, 0}), Error);
}

}  // namespace
}  // namespace specthink::python
