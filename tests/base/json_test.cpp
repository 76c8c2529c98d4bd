#include "specthink/base/json.h"

#include <gtest/gtest.h>

#include "specthink/base/error.h"
#include "specthink/base/hash.h"
#include "specthink/base/strings.h"

namespace specthink {
namespace {

TEST(json, mistakes_name_source_and_byte) {
  const std::string deep(300, '[');
  for (const std::string& text : {std::string("{\"a\": }"), std::string("[1, 2"), std::string(),
                                  std::string("\"\xFF\""), std::string("1e999"), deep, std::string("[1] x")}) {
    try {
      parse_json(text, "config.json");
      FAIL() << text;
    } catch (const UserError& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with("config.json: ")) << error.what();
    }
  }
}

TEST(json, brackets_in_strings_are_no_nesting) {
  EXPECT_EQ(parse_json("[\"" + std::string(1000, '[') + "\\\"" + std::string(1000, '{') + "\"]", "x").size(), 1u);
}

TEST(json, excerpts_are_short_and_valid) {
  EXPECT_EQ(excerpt(Json({1, "a"})), "[1,\"a\"]");
  const std::string text = excerpt(Json(std::string(1000, 'x') + "é"));
  EXPECT_LT(text.size(), 100u);
  std::string accents;
  for (int i = 0; i < 100; ++i) accents += "é";
  EXPECT_EQ(valid_utf8_prefix(excerpt(Json(accents))), excerpt(Json(accents)).size());
}

// Published test vectors of FNV-1a, 64 bits.
TEST(hash, known_answers) {
  EXPECT_EQ(hash_text(""), 0xcbf29ce484222325u);
  EXPECT_EQ(hash_text("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(hash_text("foobar"), 0x85944171f73967e8u);
}

}  // namespace
}  // namespace specthink
