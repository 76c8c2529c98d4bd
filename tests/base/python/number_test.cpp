#include "specthink/base/python/number.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "specthink/base/python/error.h"

namespace specthink::python {
namespace {

using std::int64_t;
constexpr int64_t kSmallest = std::numeric_limits<int64_t>::min();

TEST(python_number, arithmetic_rounds_down) {
  EXPECT_EQ(calculate(Operator::kFloorDivide, int64_t{7}, int64_t{-2}), Number(int64_t{-4}));
  EXPECT_EQ(calculate(Operator::kModulo, int64_t{-7}, int64_t{3}), Number(int64_t{2}));
  EXPECT_EQ(calculate(Operator::kFloorDivide, 7.5, int64_t{-2}), Number(-4.0));
  EXPECT_EQ(calculate(Operator::kModulo, -7.5, 2.0), Number(0.5));
  EXPECT_EQ(calculate(Operator::kDivide, int64_t{6}, int64_t{3}), Number(2.0));
  EXPECT_EQ(calculate(Operator::kModulo, kSmallest, int64_t{-1}), Number(int64_t{0}));
}

TEST(python_number, powers) {
  EXPECT_EQ(calculate(Operator::kPower, int64_t{-2}, int64_t{63}), Number(kSmallest));
  EXPECT_EQ(calculate(Operator::kPower, int64_t{2}, int64_t{-1}), Number(0.5));
  EXPECT_EQ(calculate(Operator::kPower, int64_t{-1}, int64_t{1} << 60), Number(int64_t{1}));
}

TEST(python_number, what_has_no_result_is_an_error) {
  const std::tuple<Operator, Number, Number> cases[] = {
      {Operator::kAdd, std::numeric_limits<int64_t>::max(), int64_t{1}},
      {Operator::kFloorDivide, kSmallest, int64_t{-1}},
      {Operator::kPower, int64_t{2}, int64_t{63}},
      {Operator::kDivide, int64_t{1}, int64_t{0}},
      {Operator::kModulo, 1.0, 0.0},
      {Operator::kPower, 0.0, -1.0},
      {Operator::kPower, -8.0, 0.5},
      {Operator::kPower, 1e300, 2.0}};
  for (const auto& [op, a, b] : cases) EXPECT_THROW(calculate(op, a, b), Error) << static_cast<int>(op);
  EXPECT_THROW(truncate(1e19), Error);
  EXPECT_THROW(parse_int("9223372036854775808", 10), Error);
}

TEST(python_number, parse_int) {
  EXPECT_EQ(parse_int(" -0x_1f ", 0), -31);
  EXPECT_EQ(parse_int("1_000", 10), 1000);
  EXPECT_EQ(parse_int("0b101", 2), 5);
  EXPECT_EQ(parse_int("z", 36), 35);
  for (const char* text : {"", "1__0", "_1", "+-1", "1.5", "abc"}) EXPECT_EQ(parse_int(text, 10), std::nullopt) << text;
  EXPECT_EQ(parse_int("007", 0), std::nullopt);
}

TEST(python_number, parse_float) {
  EXPECT_EQ(parse_float(" 1_0.5e1 "), 105.0);
  EXPECT_EQ(parse_float("-iNf"), -HUGE_VAL);
  EXPECT_TRUE(std::isnan(parse_float("nan").value()));
  EXPECT_EQ(parse_float("1e400"), HUGE_VAL);
  EXPECT_EQ(parse_float("0x1"), std::nullopt);
}

TEST(python_number, repr) {
  EXPECT_EQ(repr(1.0), "1.0");
  EXPECT_EQ(repr(0.1), "0.1");
  EXPECT_EQ(repr(-0.0), "-0.0");
  EXPECT_EQ(repr(1e15), "1000000000000000.0");
  EXPECT_EQ(repr(1e16), "1e+16");
  EXPECT_EQ(repr(1e-5), "1e-05");
  EXPECT_EQ(repr(-std::nan("")), "nan");
}

TEST(python_number, json_repr) {
  EXPECT_EQ(json_repr(2.0), "2.0");
  EXPECT_EQ(json_repr(-HUGE_VAL), "-Infinity");
  EXPECT_EQ(json_repr(HUGE_VAL), "Infinity");
  EXPECT_EQ(json_repr(std::nan("")), "NaN");
}

TEST(python_number, round) {
  EXPECT_EQ(round(2.675, 2), 2.67);  // it is a little less
  EXPECT_EQ(round(0.5, 0), 0.0);
  EXPECT_EQ(round(1.25, 1), 1.2);
}

}  // namespace
}  // namespace specthink::python
