// Pieces of texts against those of the reference library, for patterns of known models and for what the two regular
// expression engines read differently.
#include "text/pipeline/pre_tokenizer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "specthink/base/utf8.h"
#include "text/byte_level.h"
#include "text/regex_dialect.h"
#include "text/text_fixtures.h"
#include "text/unicode_versions.h"

namespace specthink {
namespace {

std::vector<std::string> pieces_of(const PreTokenizer& pre_tokenizer, std::string_view text) {
  std::vector<std::string> pieces;
  pre_tokenizer.split(text, /*at_start=*/true,
                      [&](std::string_view piece) { pieces.push_back(from_byte_level(piece).value()); });
  return pieces;
}

PreTokenizer make(const Json& json) { return PreTokenizer(JsonView(json, "test", "pre_tokenizer")); }

Json byte_level(bool add_prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", add_prefix_space}, {"use_regex", use_regex}};
}

Json after_split(Json split) {
  return {{"type", "Sequence"}, {"pretokenizers", Json::array({std::move(split), byte_level(false, false)})}};
}

Json split_step(Json pattern, const Json& behavior = "Isolated", const Json& invert = false) {
  return {{"type", "Split"}, {"pattern", std::move(pattern)}, {"behavior", behavior}, {"invert", invert}};
}

TEST(pre_tokenizer, splits_of_the_reference_library) {
  std::size_t checked = 0;
  for (const Json& item : testing::read_lines(testing::fixtures() / "splits.jsonl")) {
    const auto split = split_step({{"Regex", item["pattern"]}}, item["behavior"], item["invert"]);
    const PreTokenizer pre_tokenizer = make(after_split(split));
    for (std::size_t i = 0; i < item["texts"].size(); ++i, ++checked) {
      std::vector<std::size_t> lengths;
      for (const auto& piece : pieces_of(pre_tokenizer, item["texts"][i].get<std::string>())) {
        lengths.push_back(piece.size());
      }
      EXPECT_EQ(Json(lengths), item["pieces"][i])
          << item["pattern"] << " " << item["behavior"] << " " << item["invert"] << " " << item["texts"][i];
    }
  }
  fmt::print("checked {} texts\n", checked);
  EXPECT_GT(checked, 0u);
}

TEST(pre_tokenizer, behaviors_of_the_reference_documentation) {
  const auto pieces = [](const char* behavior, bool invert = false) {
    return pieces_of(make(after_split(split_step({{"String", "-"}}, behavior, invert))), "the-final--countdown");
  };
  using Pieces = std::vector<std::string>;
  EXPECT_EQ(pieces("Removed"), (Pieces{"the", "final", "countdown"}));
  EXPECT_EQ(pieces("Isolated"), (Pieces{"the", "-", "final", "-", "-", "countdown"}));
  EXPECT_EQ(pieces("MergedWithPrevious"), (Pieces{"the-", "final-", "-", "countdown"}));
  EXPECT_EQ(pieces("MergedWithNext"), (Pieces{"the", "-final", "-", "-countdown"}));
  EXPECT_EQ(pieces("Contiguous"), (Pieces{"the", "-", "final", "--", "countdown"}));
  EXPECT_EQ(pieces("Removed", /*invert=*/true), (Pieces{"-", "-", "-"}));
}

TEST(pre_tokenizer, string_patterns_are_no_expressions) {
  const auto pre_tokenizer = make(after_split(split_step({{"String", ".*"}})));
  EXPECT_EQ(pieces_of(pre_tokenizer, "a.*b"), (std::vector<std::string>{"a", ".*", "b"}));
}

TEST(pre_tokenizer, prefix_space_goes_before_every_piece) {
  Json sequence = after_split(split_step({{"String", "-"}}));
  sequence["pretokenizers"][1] = byte_level(true, true);
  EXPECT_EQ(pieces_of(make(sequence), "ab- c"), (std::vector<std::string>{" ab", " -", " c"}));
  EXPECT_EQ(pieces_of(make(byte_level(true, true)), ""), std::vector<std::string>{});
}

TEST(pre_tokenizer, gpt2_pattern_is_the_default) {
  const Json without_flag = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
  EXPECT_EQ(pieces_of(make(without_flag), "I'm here  now"),
            (std::vector<std::string>{"I", "'m", " here", " ", " now"}));
}

// Letters of Unicode 15 and 16 are letters, whatever version the installed PCRE2 has; text and positions stay.
TEST(pre_tokenizer, characters_of_newer_unicode_versions) {
  const auto letters = make(after_split(split_step({{"Regex", "\\p{Ll}+|\\p{Lo}+|\\p{Nd}+|\\p{M}+"}})));
  EXPECT_EQ(pieces_of(letters, "a\u1c8az\U00011f04\U00031350\U00011f50\U0001e08f"),
            (std::vector<std::string>{"a\u1c8az", "\U00011f04\U00031350", "\U00011f50", "\U0001e08f"}));
  const auto space = make(after_split(split_step({{"Regex", "\\s"}})));
  EXPECT_EQ(pieces_of(space, "a\u180eb\u2003c"), (std::vector<std::string>{"a\u180eb", "\u2003", "c"}));
}

TEST(regex_view, keeps_lengths_and_known_characters) {
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    std::string text;
    append_utf8(text, code);
    std::string storage;
    const std::string_view view = regex_view(text, storage);
    ASSERT_EQ(view.size(), text.size()) << std::hex << static_cast<std::uint32_t>(code);
    ASSERT_EQ(next_utf8(view).length, text.size()) << std::hex << static_cast<std::uint32_t>(code);
    const bool is_old = code < 0x800 || (code >= 0x4E00 && code < 0xA000);
    if (is_old) {
      ASSERT_EQ(view, text) << std::hex << static_cast<std::uint32_t>(code);
    }
  }
}

TEST(regex_dialect, translations) {
  const auto text = [](const char* pattern) { return translate_regex(pattern).text; };
  EXPECT_EQ(text(R"(\p{L}{1,3}+)"), R"((?:\p{L}{1,3})+)");
  EXPECT_EQ(text(R"((a|b){2}?)"), R"((?:(?:a|b){2})?)");
  EXPECT_EQ(text(R"(a{,3}b{2,}?)"), R"(a{0,3}b{2,}?)");
  EXPECT_EQ(text("x{"), R"(x\{)");
  EXPECT_EQ(text(R"(\p{Greek}\p{Lu}\P{^Alphabetic})"), R"(\p{sc:Greek}\p{Lu}\P{^Alphabetic})");
  EXPECT_EQ(text("(?m-i:.)"), "(?s-i:.)");
  EXPECT_EQ(text(R"([^\s\h\-é]++)"), R"([^\s0-9A-Fa-f\-é]++)");
  EXPECT_EQ(text(R"(\é)"), "é");
}

TEST(regex_dialect, refuses_what_has_no_equivalent) {
  for (const char* pattern :
       {"(a)\\1", "(?<n>a)", "\\k<n>", "[a[b]]", "[[:alpha:]]", "[a&&b]",  "[\\W]", "\\R",  "\\X",     "\\G",
        "\\xff",  "\\u12",   "\\pL",   "\\p{}",  "\\p{a b",     "(?x: a)", "a(?i)", "(*F)", "(?(1)a)", "(?#c)",
        "a)",     "(",       "[",      "\\",     "(?",          "(?i",     "[a\\",  "\\p",  "\\x{",    "{2}+"}) {
    EXPECT_THROW(translate_regex(pattern), RegexError) << pattern;
  }
}

}  // namespace
}  // namespace specthink
