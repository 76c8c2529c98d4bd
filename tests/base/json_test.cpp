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

TEST(json, what_python_writes_is_read) {
  const Json json = parse_json(R"({"a": NaN, "b": [-Infinity, Infinity], "NaN": "Infinity \"NaN", "c": 1})", "x");
  EXPECT_EQ(json["a"], "NaN") << "no number: who needs one says so";
  EXPECT_EQ(json["b"][0], "-Infinity");
  EXPECT_EQ(json["NaN"], "Infinity \"NaN");
  EXPECT_EQ(json["c"], 1);
  EXPECT_EQ(parse_json(R"(["\ud83d", "\udc4d\ud83d", "\ud83d\ude42", "\\ud83d"])", "x"),
            Json({"\uFFFD", "\uFFFD\uFFFD", "\U0001F642", "\\ud83d"}));
  for (const char* text : {"NaN 1", "[NaNs]", "[Inf]", "\"\\ud83d", "{\"a\": \"\\ud8"}) {
    EXPECT_THROW(parse_json(text, "x"), UserError) << text;
  }
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
