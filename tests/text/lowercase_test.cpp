#include "specthink/base/lowercase.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "text/text_fixtures.h"

namespace specthink {
namespace {

TEST(lowercase, fixtures_of_python) {
  std::size_t checked = 0;
  for (const Json& item : testing::read_lines(testing::fixtures() / "lowercase.jsonl")) {
    EXPECT_EQ(lowercase(item["text"].get<std::string>()), item["lower"].get<std::string>()) << item;
    ++checked;
  }
  fmt::print("checked {} texts\n", checked);
  EXPECT_GT(checked, 0u);
}

TEST(lowercase, simple_mappings) {
  EXPECT_EQ(lowercase(""), "");
  EXPECT_EQ(lowercase("Wait, LET me CHECK: 42 [\\^_`{|}@"), "wait, let me check: 42 [\\^_`{|}@");
  EXPECT_EQ(lowercase("ÀÉÎ ẞ ЖЯ ԱՖ Ǆǅ Ⅷ Ⓐ 𐐀"), "àéî ß жя աֆ ǆǆ ⅷ ⓐ 𐐨");
  EXPECT_EQ(lowercase("ß ı ſ 中文 🙂"), "ß ı ſ 中文 🙂");
}

TEST(lowercase, dotted_capital_i_becomes_two_characters) { EXPECT_EQ(lowercase("İI"), "i\u0307i"); }

TEST(lowercase, sigma_at_the_end_of_a_word) {
  EXPECT_EQ(lowercase("ΟΔΟΣ ΣΑΣ Σ"), "οδος σας σ");
  EXPECT_EQ(lowercase("ΑΣ."), "ας.");
  EXPECT_EQ(lowercase("ΑΣ.Α"), "ασ.α");  // the full stop is skipped in looking for a letter
  EXPECT_EQ(lowercase("Α\u0301Σ!"), "α\u0301ς!");
  EXPECT_EQ(lowercase("ΑΣΑ"), "ασα");
  EXPECT_EQ(lowercase("1Σ"), "1σ");
}

TEST(lowercase, invalid_bytes_pass_through) {
  EXPECT_EQ(lowercase("A\xFF"
                      "B\xE2\x82"
                      "C\xC3"),
            "a\xFF"
            "b\xE2\x82"
            "c\xC3");
}

}  // namespace
}  // namespace specthink
