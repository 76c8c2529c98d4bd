#include "specthink/base/python/text.h"

#include <gtest/gtest.h>

#include "specthink/base/lowercase.h"

namespace specthink::python {
namespace {

using Parts = std::vector<std::string_view>;

// Expected values are those of Python 3.11.

TEST(python_text, strip) {
  EXPECT_EQ(strip("\x1C\u00A0 a\u200B", Side::kBoth), "a\u200B");
  EXPECT_EQ(strip(" a ", Side::kLeft), "a ");
  EXPECT_EQ(strip(" a ", Side::kRight), " a");
  EXPECT_EQ(strip("xyaxy", Side::kBoth, "yx"), "a");
  EXPECT_EQ(strip("éaé", Side::kBoth, "é"), "a");
  EXPECT_EQ(strip(" \n", Side::kBoth), "");
}

TEST(python_text, split) {
  EXPECT_EQ(split(" a  b c ", std::nullopt, -1), (Parts{"a", "b", "c"}));
  EXPECT_EQ(split(" a  b c ", std::nullopt, 1), (Parts{"a", "b c "}));
  EXPECT_EQ(split_from_right(" a  b c ", std::nullopt, 1), (Parts{" a  b", "c"}));
  EXPECT_EQ(split("a,,b", ",", -1), (Parts{"a", "", "b"}));
  EXPECT_EQ(split("a,b,c", ",", 1), (Parts{"a", "b,c"}));
  EXPECT_EQ(split_from_right("a,b,c", ",", 1), (Parts{"a,b", "c"}));
  EXPECT_EQ(split_from_right("a,b,c", ",", -1), (Parts{"a", "b", "c"}));
  EXPECT_EQ(split("", ",", -1), Parts{""});
  EXPECT_EQ(split("", std::nullopt, -1), Parts{});
}

TEST(python_text, lines) {
  EXPECT_EQ(split_lines("a\r\nb\x1C"
                        "c\u2028\n"),
            (Parts{"a", "b", "c", ""}));
  EXPECT_EQ(split_lines("a\r\nb\v", /*keep_ends=*/true), (Parts{"a\r\n", "b\v"}));
  EXPECT_EQ(with_universal_newlines("a\r\nb\rc\n\r"), "a\nb\nc\n\n");
}

TEST(python_text, cases) {
  EXPECT_EQ(uppercase("\u1E9E\u00DF\uFB01"), "\u1E9ESSFI");
  EXPECT_EQ(capitalize("\u01C6X"), "\u01C5x");
  EXPECT_EQ(capitalize(""), "");
  EXPECT_EQ(title("they're ΑΣ \uFB01ne \u0149a"), "They'Re Ας Fine \u02BCNa");
  EXPECT_TRUE(has_case("a1", lowercase));
  EXPECT_FALSE(has_case("1", lowercase));
  EXPECT_FALSE(has_case("aB", uppercase));
}

TEST(python_text, kinds_of_characters) {
  EXPECT_TRUE(is_space(0x1C) && is_space(0x3000) && !is_space(0x200B));
  EXPECT_TRUE(is_letter(U'中') && !is_letter(U'1'));
  EXPECT_TRUE(is_decimal_digit(U'٣') && !is_decimal_digit(U'²'));
  EXPECT_TRUE(is_numeric(U'²') && is_numeric(U'Ⅷ'));
  EXPECT_TRUE(is_printable(U'é') && is_printable(U' ') && !is_printable(0xA0));
}

TEST(python_text, find) {
  EXPECT_EQ(find_text("abcabc", "c"), 2u);
  EXPECT_EQ(find_text("abcabc", "c", 3), 5u);
  EXPECT_EQ(find_text("abc", "", 3), 3u);
  EXPECT_EQ(find_text("abc", "", 4), std::string_view::npos);
}

}  // namespace
}  // namespace specthink::python
