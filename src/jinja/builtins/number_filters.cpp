// Filters that make numbers.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>

#include "jinja/builtins/function.h"
#include "jinja/operators.h"
#include "jinja/unicode.h"
#include "specthink/base/lowercase.h"
#include "specthink/jinja/error.h"

namespace specthink::jinja {
namespace {

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

// int(text, base) of Python; empty for what is none.
std::optional<std::int64_t> parse_integer(std::string_view text, std::int64_t base) {
  text = strip(text, Side::kBoth);
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
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
  if (error == std::errc::result_out_of_range) fail("int: {} is too large for a 64-bit integer", number);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  return result;
}

// float(text) of Python; empty for what is none.
std::optional<double> parse_real(std::string_view text) {
  text = strip(text, Side::kBoth);
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
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

Value int_filter(Runtime&, const Value& self, const CallArguments& args) {
  self.require_defined();
  if (const auto integer = self.as_integer()) return *integer;
  const std::int64_t base = args.integer(1, 10);
  if (base != 0 && (base < 2 || base > 36)) return args.get_or(0, std::int64_t{0});
  std::optional<double> number;
  if (const std::string* text = self.string()) {
    if (const auto integer = parse_integer(*text, base)) return *integer;
    number = parse_real(*text);
  } else if (self.real() != nullptr) {
    number = *self.real();
  }
  if (!number || !std::isfinite(*number)) return args.get_or(0, std::int64_t{0});
  if (std::abs(*number) >= 9223372036854775808.0) fail("int: {} is too large for a 64-bit integer", *number);
  return static_cast<std::int64_t>(*number);
}

Value float_filter(Runtime&, const Value& self, const CallArguments& args) {
  self.require_defined();
  if (const auto number = self.as_number()) return *number;
  const auto number = self.is_string() ? parse_real(*self.string()) : std::nullopt;
  return number ? Value(*number) : args.get_or(0, 0.0);
}

Value abs_filter(Runtime&, const Value& self, const CallArguments&) {
  self.require_defined();
  if (const double* real = self.real()) return std::abs(*real);
  if (!self.as_integer()) fail("bad operand type for abs(): '{}'", self.type_name());
  return *self.as_integer() < 0 ? negate(self) : Value(*self.as_integer());
}

Value round_filter(Runtime&, const Value& self, const CallArguments& args) {
  self.require_defined();
  const std::int64_t precision = args.integer(0, 0);
  const std::string method = args.has(1) ? args.string(1) : "common";
  if (!self.as_number()) fail("type {} doesn't define __round__ method", self.type_name());
  if (precision < 0 || precision > 300) fail("round: a precision of {} is not supported", precision);
  if (method == "common") {
    if (self.as_integer()) return *self.as_integer();
    if (!std::isfinite(*self.real())) return self;
    return std::stod(fmt::format("{:.{}f}", *self.real(), precision));  // rounds the exact value, half to even
  }
  if (method != "ceil" && method != "floor") fail("round: the method must be common, ceil or floor");
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = *self.as_number() * scale;
  return (method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale;
}

constexpr Function kNumberFilters[] = {
    {"abs", {}, 0, abs_filter},
    {"float", {"default"}, 0, float_filter},
    {"int", {"default", "base"}, 0, int_filter},
    {"round", {"precision", "method"}, 0, round_filter},
};

}  // namespace

std::span<const Function> number_filters() { return kNumberFilters; }

}  // namespace specthink::jinja
