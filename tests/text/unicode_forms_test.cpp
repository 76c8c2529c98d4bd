// Normal form C against the reference library's, which knows Unicode 9.
#include "text/pipeline/unicode_forms.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "text/text_fixtures.h"

namespace specthink {
namespace {

std::string nfc_of(std::string_view text) { return normalize(text, UnicodeForm::nfc); }

TEST(nfc, fixtures_of_the_reference_library) {
  std::size_t checked = 0;
  for (const Json& item : testing::read_lines(testing::fixtures() / "nfc.jsonl")) {
    EXPECT_EQ(nfc_of(item["text"].get<std::string>()), item["nfc"].get<std::string>()) << item;
    ++checked;
  }
  fmt::print("checked {} texts\n", checked);
  EXPECT_GT(checked, 0u);
}

TEST(nfc, composes_and_orders) {
  EXPECT_EQ(nfc_of(""), "");
  EXPECT_EQ(nfc_of("e\u0301"), "é");
  EXPECT_EQ(nfc_of("q\u0307\u0323"), "q\u0323\u0307");
  EXPECT_EQ(nfc_of("\u1112\u1161\u11ab"), "한");
  EXPECT_EQ(nfc_of("\u212b"), "\u00c5");
  EXPECT_EQ(nfc_of("\u0958"), "\u0915\u093c");  // excluded from composition
}

// U+11A7 is no trailing consonant, though the table of those starts behind it.
TEST(nfc, hangul_does_not_swallow_what_is_no_consonant) { EXPECT_EQ(nfc_of("개\u11a7"), "개\u11a7"); }

// Marks that Unicode 9 did not have neither move nor let others pass.
TEST(nfc, newer_marks_stay) {
  EXPECT_EQ(nfc_of("e\u1df6\u0334"), "e\u1df6\u0334");
  EXPECT_EQ(nfc_of("e\u08d3\u0301"), "e\u08d3\u0301");
  EXPECT_EQ(nfc_of("\U00011935\U00011930"), "\U00011935\U00011930");
}

TEST(nfc, long_runs_of_marks_take_linear_time) {
  std::string alternating = "e";
  std::string sorted = "e";
  constexpr int kMarks = 300'000;
  for (int i = 0; i < kMarks; ++i) alternating += "\u0301\u0334";
  for (int i = 0; i < kMarks; ++i) sorted += "\u0334";
  std::string acutes;
  for (int i = 1; i < kMarks; ++i) acutes += "\u0301";
  EXPECT_EQ(nfc_of(alternating), "é" + sorted.substr(1) + acutes);
}

}  // namespace
}  // namespace specthink
