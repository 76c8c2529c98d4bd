#include "specthink/report/table.h"

#include <gtest/gtest.h>

#include "specthink/base/error.h"

namespace specthink {
namespace {

TEST(table, aligns_columns) {
  Table table({"name", "a", "longer"});
  table.add_row({"x", "1", "2"});
  table.add_row({"much longer", "100"});
  EXPECT_EQ(table.to_string(),
            "name           a  longer\n"
            "------------------------\n"
            "x              1       2\n"
            "much longer  100\n");
}

TEST(table, sections_repeat_the_titles) {
  Table table({"", "one", "two", "three"});
  table.add_section("First");
  table.add_row({"a", "1", "2", "3"});
  table.add_section("2nd");
  table.add_row({"b", "4", "5", "6"});
  EXPECT_EQ(table.to_string(),
            "First  one  two  three\n"
            "----------------------\n"
            "a        1    2      3\n"
            "\n"
            "2nd    one  two  three\n"
            "----------------------\n"
            "b        4    5      6\n");
}

TEST(table, counts_characters_not_bytes) {
  EXPECT_EQ(display_width("\xCE\xB3 \xE2\x89\xA4 1"), 5u);
  Table table({"\xC3\xA4", "b"});
  table.add_row({"xy", "\xE2\x89\xA4"});
  EXPECT_EQ(table.to_string(), "\xC3\xA4   b\n-----\nxy  \xE2\x89\xA4\n");
}

TEST(table, markdown) {
  EXPECT_EQ(markdown_table({"name", "a"}, {{"x", "12345"}, {"y"}}),
            "| name |     a |\n"
            "| ---- | ----: |\n"
            "| x    | 12345 |\n"
            "| y    |       |\n");
}

TEST(table, empty_and_misused) {
  EXPECT_EQ(Table({"a"}).to_string(), "");
  Table table({"a"});
  EXPECT_THROW(table.add_row({"1", "2"}), InternalError);
  EXPECT_THROW(Table({}), InternalError);
}

}  // namespace
}  // namespace specthink
