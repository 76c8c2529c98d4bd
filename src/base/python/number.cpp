#include "specthink/base/python/number.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "specthink/base/lowercase.h"
#include "specthink/base/python/error.h"
#include "specthink/base/python/text.h"

namespace specthink::inline base::python {
namespace {

std::int64_t checked(bool overflow, const std::int64_t& result) {
  if (overflow) raise("the result is too large for a 64-bit integer");
  return result;
}

// divmod(): the remainder has the sign of the divisor.
std::pair<double, double> floor_divide(double a, double b) {
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder == 0) {
    remainder = std::copysign(0.0, b);
  } else if ((b < 0) != (remainder < 0)) {
    remainder += b;
    quotient -= 1;
  }
  if (quotient == 0) return {std::copysign(0.0, a / b), remainder};
  const double whole = std::floor(quotient);
  return {quotient - whole > 0.5 ? whole + 1 : whole, remainder};
}

double real_result(Operator op, double a, double b) {
  if (op == Operator::kAdd) return a + b;
  if (op == Operator::kSubtract) return a - b;
  if (op == Operator::kMultiply) return a * b;
  if (op == Operator::kPower) {
    if (a == 0 && b < 0) raise("0.0 cannot be raised to a negative power");
    if (a < 0 && std::isfinite(b) && b != std::floor(b)) raise("complex numbers are not supported");
    const double result = std::pow(a, b);
    if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) raise("the result is too large for a float");
    return result;
  }
  if (b == 0) raise("division by zero");
  if (op == Operator::kDivide) return a / b;
  return op == Operator::kModulo ? floor_divide(a, b).second : floor_divide(a, b).first;
}

std::int64_t power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  for (; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) != 0) checked(__builtin_mul_overflow(result, base, &result), result);
    const bool squares = exponent > 1 && base != 0 && base != 1 && base != -1;
    if (squares) checked(__builtin_mul_overflow(base, base, &base), base);
    if (base == -1 && exponent > 1) base = 1;
  }
  return result;
}

std::int64_t integer_result(Operator op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (op == Operator::kPower) return power(a, b);
  if (op == Operator::kAdd) return checked(__builtin_add_overflow(a, b, &result), result);
  if (op == Operator::kSubtract) return checked(__builtin_sub_overflow(a, b, &result), result);
  if (op == Operator::kMultiply) return checked(__builtin_mul_overflow(a, b, &result), result);
  if (b == 0) raise("division by zero");
  const bool adjusts = b != -1 && a % b != 0 && (a < 0) != (b < 0);
  if (op == Operator::kFloorDivide) {
    if (b == -1) return checked(__builtin_sub_overflow(0, a, &result), result);
    return a / b - (adjusts ? 1 : 0);
  }
  const std::int64_t remainder = b == -1 ? 0 : a % b;  // INT64_MIN % -1 is not defined
  return adjusts ? remainder + b : remainder;          // with the sign of the divisor
}

// Digits without the underscores that Python allows between two of them; empty where one stands elsewhere.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool between = i > 0 && i + 1 < text.size() && text[i - 1] != '_' && text[i + 1] != '_';
    if (text[i] == '_' && !between) return std::nullopt;
    if (text[i] != '_') result += text[i];
  }
  return result;
}

// The text without the white space around it and its sign; whether that is a minus.
bool take_sign(std::string_view& text) {
  text = strip(text, Side::kBoth);
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  return is_negative;
}

}  // namespace

Number calculate(Operator op, Number a, Number b) {
  const auto* i = std::get_if<std::int64_t>(&a);
  const auto* j = std::get_if<std::int64_t>(&b);
  const bool is_real = op == Operator::kDivide || (op == Operator::kPower && j != nullptr && *j < 0);
  if (i != nullptr && j != nullptr && !is_real) return integer_result(op, *i, *j);
  const auto real = [](Number number) { return std::visit([](auto n) { return static_cast<double>(n); }, number); };
  return real_result(op, real(a), real(b));
}

std::optional<std::int64_t> parse_int(std::string_view text, std::int64_t base) {
  const bool is_negative = take_sign(text);
  constexpr std::pair<std::int64_t, std::string_view> kPrefixes[] = {{2, "bB"}, {8, "oO"}, {16, "xX"}};
  for (const auto& [its_base, letters] : kPrefixes) {
    if ((base != its_base && base != 0) || text.size() < 2 || text[0] != '0' || letters.find(text[1]) == letters.npos) {
      continue;
    }
    text.remove_prefix(text.size() > 2 && text[2] == '_' ? 3 : 2);
    base = its_base;
  }
  const bool is_default = base == 0;
  const auto digits = without_underscores(text);
  if (!digits || digits->empty() || !std::isalnum(static_cast<unsigned char>(digits->front()))) return std::nullopt;
  if (is_default && digits->front() == '0' && digits->find_first_not_of('0') != digits->npos) return std::nullopt;
  const std::string number = (is_negative ? "-" : "") + *digits;
  std::int64_t result = 0;
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), result, is_default ? 10 : static_cast<int>(base));
  if (error == std::errc::result_out_of_range) raise("{} is too large for a 64-bit integer", number);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  return result;
}

std::optional<double> parse_float(std::string_view text) {
  const bool is_negative = take_sign(text);
  const std::string name = lowercase(text);
  double result = 0;
  if (name == "inf" || name == "infinity") {
    result = HUGE_VAL;
  } else if (name == "nan") {
    result = std::nan("");
  } else {
    const auto digits = without_underscores(text);
    if (!digits || digits->find_first_not_of("0123456789.eE+-") != digits->npos || digits->find_first_of("+-") == 0) {
      return std::nullopt;
    }
    const auto [end, error] = std::from_chars(digits->data(), digits->data() + digits->size(), result);
    if (end != digits->data() + digits->size() || error == std::errc::invalid_argument) return std::nullopt;
    if (error == std::errc::result_out_of_range) result = std::strtod(digits->c_str(), nullptr);
  }
  return is_negative ? -result : result;
}

std::int64_t truncate(double value) {
  if (std::abs(value) >= 9223372036854775808.0) raise("{} is too large for a 64-bit integer", value);
  return static_cast<std::int64_t>(value);
}

double round(double value, std::int64_t digits) {
  if (!std::isfinite(value)) return value;
  return std::stod(fmt::format("{:.{}f}", value, digits));
}

std::string repr(double value) {
  if (std::isnan(value)) return "nan";  // whatever its sign
  std::string text = fmt::format("{}", value);
  if (text.find_first_not_of("-0123456789") == text.npos) text += ".0";
  return text;
}

std::string json_repr(double value) {
  if (std::isfinite(value)) return repr(value);
  return std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

}  // namespace specthink::inline base::python
