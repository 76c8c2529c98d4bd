#include "specthink/base/strings.h"

#include <gtest/gtest.h>

namespace specthink {
namespace {

TEST(strings, nearest_names_a_likely_misspelling_only) {
  const std::vector<std::string> keys{"max_tokens", "temperature", "top_k"};
  EXPECT_EQ(nearest("max_token", keys), "max_tokens");
  EXPECT_EQ(nearest("temprature", keys), "temperature");
  EXPECT_EQ(nearest("completely_else", keys), "");
  EXPECT_EQ(did_you_mean("topk", keys), " (did you mean 'top_k'?)");
  EXPECT_EQ(did_you_mean("zzzzzz", keys), "");
}

TEST(strings, format_bytes) {
  EXPECT_EQ(format_bytes(7), "7 B");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes(std::uint64_t{3} << 30), "3.0 GiB");
}

TEST(strings, escape_html) { EXPECT_EQ(escape_html("<a b=\"c\">'&é"), "&lt;a b=&#34;c&#34;&gt;&#39;&amp;é"); }

// One U+FFFD for each maximal part of an invalid sequence, as the Unicode standard recommends; taken from Python's
// bytes.decode("utf-8", "replace").
TEST(strings, replace_invalid_utf8) {
  const std::pair<std::string, std::string> cases[] = {
      {"abc", "abc"},
      {"\xC3\xA9", "é"},
      {"\xC3", "�"},
      {"\xC3(", "�("},
      {"\xE2\x82", "�"},
      {"\xE2\x82\x41", "�A"},
      {"\xF0\x9F\x98\x80", "😀"},
      {"\xF0\x9F\x98", "�"},
      {"\xED\xA0\x80", "���"},       // a surrogate
      {"\xC0\xAF", "��"},            // an overlong form
      {"\xF4\x90\x80\x80", "����"},  // beyond U+10FFFF
      {"\xFF\xFE", "��"},
  };
  for (const auto& [bytes, expected] : cases) EXPECT_EQ(replace_invalid_utf8(bytes), expected);
}

TEST(strings, valid_prefix_and_incomplete_suffix) {
  EXPECT_EQ(valid_utf8_prefix("aé\xC3"), 3u);
  EXPECT_EQ(valid_utf8_prefix("\xFFz"), 0u);
  EXPECT_EQ(incomplete_utf8_suffix("a\xF0\x9F\x98"), 3u);
  EXPECT_EQ(incomplete_utf8_suffix("a\xE2\x82"), 2u);
  EXPECT_EQ(incomplete_utf8_suffix("é"), 0u);
  EXPECT_EQ(incomplete_utf8_suffix("\x82\x82"), 0u) << "nothing can complete it";
  EXPECT_EQ(incomplete_utf8_suffix(""), 0u);
}

}  // namespace
}  // namespace specthink
