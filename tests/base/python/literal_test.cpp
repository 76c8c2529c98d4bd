#include "specthink/base/python/literal.h"

#include <gtest/gtest.h>

#include "specthink/base/python/error.h"

namespace specthink::python {
namespace {

using namespace std::string_view_literals;

TEST(python_literal, repr) {
  EXPECT_EQ(repr("it's"), "\"it's\"");
  EXPECT_EQ(repr("say \"it's\""), R"('say "it\'s"')");
  EXPECT_EQ(repr("\n\0é\u2028\U000E0001\\"sv), R"('\n\x00é\u2028\U000e0001\\')");
}

std::string string_of(std::string_view literal) {
  std::string value = read_string(literal);
  EXPECT_EQ(literal, "");
  return value;
}

TEST(python_literal, strings) {
  EXPECT_EQ(string_of(R"('a\n\t\"\'\\\x41\u00e9\U0001F600\q"')"), "a\n\t\"'\\Aé😀\\q\"");
  EXPECT_EQ(string_of("\"a\\\nb\""), "ab");
  std::string_view text = "'a' + 'b'";
  EXPECT_EQ(read_string(text), "a");
  EXPECT_EQ(text, " + 'b'");
}

TEST(python_literal, malformed_strings) {
  for (std::string_view text :
       {R"("\x4")", R"("\xzz")", R"("\ud800")", R"("\U00110000")", R"("\N{BULLET}")", R"("\0")", R"("a)", R"("a\")"}) {
    EXPECT_THROW(read_string(text), Error) << text;
  }
}

TEST(python_literal, numbers) {
  const std::tuple<std::string_view, Number, std::string_view> cases[] = {{"12.", std::int64_t{12}, "."},
                                                                          {"1.50+", 1.5, "+"},
                                                                          {"2e3", 2000.0, ""},
                                                                          {"1.5E-1)", 0.15, ")"},
                                                                          {"1else", std::int64_t{1}, "else"},
                                                                          {"0", std::int64_t{0}, ""},
                                                                          {"00", std::int64_t{0}, ""},
                                                                          {"9223372036854775807", INT64_MAX, ""}};
  for (const auto& [literal, number, behind] : cases) {
    std::string_view text = literal;
    EXPECT_EQ(read_number(text), number) << literal;
    EXPECT_EQ(text, behind) << literal;
  }
  for (std::string_view text : {"0x1", "1_000", "012", "9223372036854775808", "1e999"}) {
    EXPECT_THROW(read_number(text), Error) << text;
  }
}

}  // namespace
}  // namespace specthink::python
