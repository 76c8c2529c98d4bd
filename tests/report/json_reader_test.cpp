#include "specthink/report/json_reader.h"

#include <gtest/gtest.h>

#include "fixtures.h"

namespace specthink {
namespace {

const Json kObject{{"count", 3}, {"number", -0.5}, {"text", "abc"}, {"list", {1, 2}}};

TEST(json_reader, reads_values) {
  const JsonReader reader(kObject, "file:1", "the thing");
  EXPECT_EQ(reader.count("count"), 3);
  EXPECT_EQ(reader.number("number", -1), -0.5);
  EXPECT_EQ(reader.text("text"), "abc");
  EXPECT_EQ(reader.list("list").size(), 2u);
  EXPECT_TRUE(reader.has("text"));
  EXPECT_FALSE(reader.has("other"));
}

TEST(json_reader, names_source_object_and_key) {
  const JsonReader reader(kObject, "file:1", "the thing");
  EXPECT_EQ(message_of<UserError>([&] { reader.value("other"); }), "file:1: the thing has no key 'other'");
  EXPECT_EQ(message_of<UserError>([&] { reader.count("count", 2); }),
            "file:1: expected an integer from 0 to 2 in 'count', found 3");
  expect_contains(message_of<UserError>([&] { reader.number("number"); }), "in 'number', found -0.5");
  EXPECT_EQ(message_of<UserError>([&] { reader.number("text"); }),
            "file:1: expected a number in 'text', found \"abc\"");
  EXPECT_EQ(message_of<UserError>([&] { reader.text("count"); }), "file:1: expected a string in 'count', found 3");
  EXPECT_EQ(message_of<UserError>([&] { reader.list("text"); }), "file:1: expected a list in 'text', found \"abc\"");
}

TEST(json_reader, refuses_what_is_no_object) {
  for (const Json& value : {Json(), Json(1), Json("x"), Json::array()}) {
    expect_contains(message_of<UserError>([&] { JsonReader(value, "file:1", "the thing"); }),
                    "file:1: expected a JSON object, found ");
  }
}

TEST(json_reader, refuses_numbers_beyond_its_limits) {
  for (const Json& value : {Json(UINT64_MAX), Json(JsonReader::kMaxCount + 1), Json(2.5), Json(-1), Json("1")}) {
    const Json object{{"n", value}};
    const JsonReader reader(object, "file:1", "the thing");
    expect_contains(message_of<UserError>([&] { reader.count("n"); }), "'n'");
  }
  const Json object{{"n", 1e300}};
  const JsonReader reader(object, "file:1", "the thing");
  expect_contains(message_of<UserError>([&] { reader.number("n"); }), "'n'");
}

}  // namespace
}  // namespace specthink
