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

TEST(python_literal, unescape) {
  EXPECT_EQ(unescape(R"(a\n\t\"\'\\\x41\u00e9\U0001F600\q)"), "a\n\t\"'\\Aé😀\\q");
  EXPECT_EQ(unescape("a\\\nb"), "ab");
  EXPECT_EQ(unescape("\\"), "\\");
}

TEST(python_literal, malformed_escapes) {
  for (const char* literal : {R"(\x4)", R"(\xzz)", R"(\ud800)", R"(\U00110000)", R"(\N{BULLET})", R"(\0)"}) {
    EXPECT_THROW(unescape(literal), Error) << literal;
  }
}

}  // namespace
}  // namespace specthink::python
