#include "specthink/base/python/printf.h"

#include <gtest/gtest.h>

#include <variant>
#include <vector>

#include "specthink/base/python/error.h"

namespace specthink::python {
namespace {

using Given = std::variant<std::int64_t, double, std::string>;

PrintfArgument argument_of(const Given& given) {
  const auto* integer = std::get_if<std::int64_t>(&given);
  const auto* number = std::get_if<double>(&given);
  const auto* text = std::get_if<std::string>(&given);
  if (integer != nullptr) return {*integer, static_cast<double>(*integer), nullptr, "int", nullptr, nullptr};
  if (number != nullptr) return {std::nullopt, *number, nullptr, "float", nullptr, nullptr};
  return {std::nullopt, std::nullopt, text, "str", [text] { return *text; }, [text] { return "<" + *text + ">"; }};
}

class Caller : public PrintfCaller {
 public:
  explicit Caller(std::vector<Given> given) : given_(std::move(given)) {}

  PrintfArgument next() override { return argument_of(given_.at(next_++)); }
  PrintfArgument named(std::string_view key) override {
    return argument_of(key == "first" ? given_.at(0) : given_.at(1));
  }
  void check_size(std::size_t bytes) override {
    if (bytes > 1000) throw Error("too large");
  }
  void put(std::string_view text) override { out += text; }

  std::string out;

 private:
  std::vector<Given> given_;
  std::size_t next_ = 0;
};

std::string formatted(std::string_view format, std::vector<Given> given) {
  Caller caller(std::move(given));
  printf(format, caller);
  return caller.out;
}

std::int64_t operator""_i(unsigned long long value) { return static_cast<std::int64_t>(value); }

// Expected texts are those of Python 3.11, but for repr(), which here writes angle brackets.
TEST(python_printf, conversions) {
  EXPECT_EQ(formatted("%5.1f|%-6d|%+d|%06.2f|", {3.14159, 42_i, 7_i, -2.5}), "  3.1|42    |+7|-02.50|");
  EXPECT_EQ(formatted("%x %X %#x %o %#o %x", {255_i, 255_i, 255_i, 8_i, 8_i, -255_i}), "ff FF 0xff 10 0o10 -ff");
  EXPECT_EQ(formatted("%e %g %G", {12345.678, 1e-7, 1e20}), "1.234568e+04 1e-07 1E+20");
  EXPECT_EQ(formatted("%.3d|% d|%05d|%d", {-5_i, 5_i, -3_i, 2.9}), "-005| 5|-0003|2");
  EXPECT_EQ(formatted("%c%c%%", {233_i, "b"}), "éb%");
  EXPECT_EQ(formatted("%.2s|%5s|%-3r|", {"héllo", "é", "a"}), "hé|    é|<a>|");
  EXPECT_EQ(formatted("%*d|%-*d|%.*f", {5_i, 3_i, 4_i, 7_i, 1_i, 0.25}), "    3|7   |0.2");
  EXPECT_EQ(formatted("%(second)s-%(first)03d", {7_i, "b"}), "b-007");
}

TEST(python_printf, errors) {
  const std::pair<const char*, const char*> cases[] = {
      {"%", "incomplete format"},
      {"%(a", "incomplete format key"},
      {"%y", "unsupported format character 'y'"},
      {"%d", "%d format: a number is required, not str"},
      {"%f", "must be real number, not another type"},
      {"%c", "%c requires int or char"},
      {"%*d", "* wants int"},
      {"%a", "the format '%a' is not supported"},
      {"%1001d", "too large"},
      {"%99999999999999999999999d", "too large"},
  };
  for (const auto& [format, error] : cases) {
    try {
      ADD_FAILURE() << format << " gave " << formatted(format, {"text"});
    } catch (const Error& caught) {
      EXPECT_STREQ(caught.what(), error) << format;
    }
  }
}

}  // namespace
}  // namespace specthink::python
