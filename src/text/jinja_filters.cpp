// Filters on single values. Those on sequences are in jinja_sequence_filters.cpp.
#include "text/jinja_filters.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "specthink/base/lowercase.h"
#include "text/jinja_error.h"
#include "text/jinja_format.h"
#include "text/jinja_operators.h"
#include "text/jinja_unicode.h"

namespace specthink::jinja {
namespace {

template <std::string (*kConvert)(std::string_view)>
Value convert(Runtime& runtime, const Value& self, const CallArguments&) {
  return runtime.text(kConvert(to_text(runtime, self)));
}

// Unlike str.title: words also begin after some punctuation, and only there.
std::string title_filter_text(std::string_view text) {
  const auto separates = [](char32_t code) {
    return is_space(code) || std::u32string_view(U"-({[<").find(code) != std::u32string_view::npos;
  };
  std::string result;
  bool word_starts = true;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = i;
    const bool separator = separates(next_code_point(text, i));
    if (!separator && !word_starts) {  // the rest of the word at once
      std::size_t end = i;
      while (end < text.size() && !separates(next_code_point(text, end))) i = end;
      result += lowercase(text.substr(start, i - start));
    } else {
      result += separator ? std::string(text.substr(start, i - start)) : uppercase(text.substr(start, i - start));
    }
    word_starts = separator;
  }
  return result;
}

Value abs_filter(Runtime&, const Value& self, const CallArguments&) {
  const auto number = self.as_number();
  if (!number) fail("abs: bad operand type '{}'", self.type_name());
  if (self.real()) return std::abs(*number);
  return *number < 0 ? negate(self) : Value(*self.as_integer());
}

Value default_filter(Runtime&, const Value& self, const CallArguments& args) {
  const bool missing = self.is_undefined() || (args.flag(1) && !is_true(self));
  if (!missing) return self;
  return args.get(0) == nullptr ? Value("") : *args.get(0);
}

Value string_filter(Runtime& runtime, const Value& self, const CallArguments&) {
  return runtime.text(to_text(runtime, self));
}

Value trim_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  std::optional<std::string_view> chars;
  if (args.get(0) != nullptr && !args.get(0)->is_none()) {
    chars = args.string(0);
    runtime.spend(chars->size() * 8);
  }
  return runtime.text(std::string(strip(to_text(runtime, self), Side::kBoth, chars)));
}

Value replace_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  const bool all = args.get(2) == nullptr || args.get(2)->is_none();
  return replace_text(runtime, to_text(runtime, self), to_text(runtime, *args.get(0)), to_text(runtime, *args.get(1)),
                      all ? -1 : args.integer(2, -1));
}

Value center_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  Arguments width;
  width.positional.push_back(args.integer(0, 80));
  return call_function(runtime, *find_string_method("center"), Value(to_text(runtime, self)), width);
}

Value format_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Arguments& given = args.all();
  if (!given.positional.empty() && !given.named.empty()) {
    fail("format: positional and keyword arguments cannot be used together");
  }
  Value values = Value::tuple(given.positional);
  if (!given.named.empty()) {
    Entries entries;
    for (const auto& [name, value] : given.named) entries.emplace_back(Value(name), value);
    values = Value::dict(std::move(entries));
  }
  return percent_format(runtime, to_text(runtime, self), values);
}

Value indent_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  if (!self.is_string()) fail("indent: expected a str, not {}", self.type_name());
  const Value* width = args.get(0);
  std::string indentation;
  if (width != nullptr && width->is_string()) {
    indentation = *width->string();
  } else {
    const auto spaces = static_cast<std::size_t>(std::max<std::int64_t>(args.integer(0, 4), 0));
    runtime.check_text_size(spaces);
    indentation.assign(spaces, ' ');
  }
  const std::string text = *self.string() + "\n";  // so that a last line break begins an empty line
  runtime.check_text_size(text.size());
  TextBuilder out(runtime);
  bool first = true;
  for (const std::string_view line : split_lines(text, false)) {
    if (!first) out.append("\n");
    if (first ? args.flag(1) : args.flag(2) || !line.empty()) out.append(indentation);
    out.append(line);
    first = false;
  }
  return out.take();
}

// int(text) of Python: sign, digits with single underscores, prefixes for base 0 and the bases that have one.
std::optional<std::int64_t> parse_integer(std::string_view text, std::int64_t base) {
  if (base != 0 && (base < 2 || base > 36)) return std::nullopt;
  text = strip(text, Side::kBoth);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto has_prefix = [&](char letter) { return text.size() > 2 && text[0] == '0' && (text[1] | 0x20) == letter; };
  for (const auto& [letter, value] : {std::pair{'x', 16}, std::pair{'o', 8}, std::pair{'b', 2}}) {
    if (has_prefix(letter) && (base == 0 || base == value)) {
      base = value;
      text.remove_prefix(text[2] == '_' ? 3 : 2);
      break;
    }
  }
  if (base == 0) {
    if (text.size() > 1 && text[0] == '0' && text.find_first_not_of("0_") != text.npos) return std::nullopt;
    base = 10;
  }
  if (text.empty() || text.front() == '_' || text.back() == '_') return std::nullopt;
  std::int64_t value = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '_' && text[i - 1] != '_') continue;
    const int digit = c >= '0' && c <= '9'                     ? c - '0'
                      : (c | 0x20) >= 'a' && (c | 0x20) <= 'z' ? (c | 0x20) - 'a' + 10
                                                               : 99;
    if (digit >= base) return std::nullopt;
    if (__builtin_mul_overflow(value, base, &value) || __builtin_sub_overflow(value, std::int64_t{digit}, &value)) {
      fail("int: '{}' is too large for a 64-bit integer", text);
    }
  }
  if (!negative && value == INT64_MIN) fail("int: '{}' is too large for a 64-bit integer", text);
  return negative ? value : -value;  // summed up below zero, where there is room for the smallest integer
}

std::optional<double> parse_float(std::string_view text) {
  std::string plain(strip(text, Side::kBoth));
  for (std::size_t i = 1; i + 1 < plain.size(); ++i) {
    const auto is_decimal = [](char c) { return c >= '0' && c <= '9'; };
    if (plain[i] == '_' && is_decimal(plain[i - 1]) && is_decimal(plain[i + 1])) plain.erase(i, 1);
  }
  const std::size_t start = plain.find_first_not_of("+-");
  if (start == plain.npos || start > 1) return std::nullopt;
  const std::string word = lowercase(std::string_view(plain).substr(start));
  const bool named = word == "inf" || word == "infinity" || word == "nan";
  if (!named && word.find_first_not_of("0123456789.e+-") != word.npos) return std::nullopt;  // strtod reads hex too
  char* end = nullptr;
  const double value = std::strtod(plain.c_str(), &end);
  if (end != plain.c_str() + plain.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> truncated(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  if (std::abs(value) >= 9223372036854775808.0) fail("int: {} is too large for a 64-bit integer", value);
  return static_cast<std::int64_t>(value);
}

Value int_filter(Runtime&, const Value& self, const CallArguments& args) {
  if (self.is_undefined()) fail("{}", self.undefined_reason());
  const Value otherwise = args.get(0) == nullptr ? Value(std::int64_t{0}) : *args.get(0);
  if (const auto integer = self.as_integer()) return *integer;
  if (const double* real = self.real()) {
    if (std::isinf(*real)) fail("int: cannot convert an infinite float");
    const auto value = truncated(*real);
    return value ? Value(*value) : otherwise;
  }
  if (!self.is_string()) return otherwise;
  if (const auto value = parse_integer(*self.string(), args.integer(1, 10))) return *value;
  if (const auto real = parse_float(*self.string())) {
    if (const auto value = truncated(*real)) return *value;
  }
  return otherwise;
}

Value float_filter(Runtime&, const Value& self, const CallArguments& args) {
  if (self.is_undefined()) fail("{}", self.undefined_reason());
  if (const auto number = self.as_number()) return *number;
  const Value otherwise = args.get(0) == nullptr ? Value(0.0) : *args.get(0);
  if (!self.is_string()) return otherwise;
  const auto value = parse_float(*self.string());
  return value ? Value(*value) : otherwise;
}

Value round_filter(Runtime&, const Value& self, const CallArguments& args) {
  const std::string method = args.get(1) == nullptr ? "common" : args.string(1);
  if (method != "common" && method != "ceil" && method != "floor") fail("round: method must be common, ceil or floor");
  const std::int64_t precision = args.integer(0, 0);
  if (precision < -15 || precision > 300) fail("round: a precision of {} is not supported", precision);
  const auto number = self.as_number();
  if (!number) fail("round: expected a number, not {}", self.type_name());
  if (method != "common") {
    const double scale = std::pow(10.0, static_cast<double>(precision));
    const double scaled = *number * scale;
    return (method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale;
  }
  if (!self.real()) {
    if (precision < 0) fail("round: a negative precision for an int is not supported");
    return *self.as_integer();
  }
  if (!std::isfinite(*number)) return *number;
  if (precision >= 0) {  // printf rounds the exact binary value half to even, as Python does
    return std::strtod(fmt::format("{:.{}f}", *number, precision).c_str(), nullptr);
  }
  const double scale = std::pow(10.0, static_cast<double>(-precision));
  return std::nearbyint(*number / scale) * scale;
}

Value tojson_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  JsonStyle style;
  style.ensure_ascii = args.flag(0);
  if (const Value* indent = args.get(1); indent != nullptr && !indent->is_none()) {
    if (indent->is_string()) {
      style.indent = *indent->string();
    } else {
      const auto spaces = static_cast<std::size_t>(std::max<std::int64_t>(args.integer(1, 0), 0));
      runtime.check_text_size(spaces);
      style.indent = std::string(spaces, ' ');
    }
    style.item_separator = ",";
  }
  if (const Value* separators = args.get(2); separators != nullptr && !separators->is_none()) {
    const Values parts = items_of(runtime, *separators);
    if (parts.size() != 2 || !parts[0].is_string() || !parts[1].is_string()) {
      fail("tojson: separators must be two strings");
    }
    style.item_separator = *parts[0].string();
    style.key_separator = *parts[1].string();
  }
  style.sort_keys = args.flag(3);
  return to_json(runtime, self, style);
}

constexpr Function kFilters[] = {
    {"abs", {}, 0, abs_filter},
    {"capitalize", {}, 0, convert<capitalize>},
    {"center", {"width"}, 0, center_filter},
    {"d", {"default_value", "boolean"}, 0, default_filter},
    {"default", {"default_value", "boolean"}, 0, default_filter},
    {"float", {"default"}, 0, float_filter},
    {"format", {kAnyArguments}, 0, format_filter},
    {"indent", {"width", "first", "blank"}, 0, indent_filter},
    {"int", {"default", "base"}, 0, int_filter},
    {"lower", {}, 0, convert<lowercase>},
    {"replace", {"old", "new", "count"}, 2, replace_filter},
    {"round", {"precision", "method"}, 0, round_filter},
    {"safe", {}, 0, string_filter},  // nothing is ever escaped
    {"string", {}, 0, string_filter},
    {"title", {}, 0, convert<title_filter_text>},
    {"tojson", {"ensure_ascii", "indent", "separators", "sort_keys"}, 0, tojson_filter},
    {"trim", {"chars"}, 0, trim_filter},
    {"upper", {}, 0, convert<uppercase>},
    // Of Jinja, but not supported.
    {"attr", {}, 0, nullptr},
    {"batch", {}, 0, nullptr},
    {"e", {}, 0, nullptr},
    {"escape", {}, 0, nullptr},
    {"filesizeformat", {}, 0, nullptr},
    {"forceescape", {}, 0, nullptr},
    {"groupby", {}, 0, nullptr},
    {"pprint", {}, 0, nullptr},
    {"random", {}, 0, nullptr},
    {"slice", {}, 0, nullptr},
    {"striptags", {}, 0, nullptr},
    {"truncate", {}, 0, nullptr},
    {"urlencode", {}, 0, nullptr},
    {"urlize", {}, 0, nullptr},
    {"wordcount", {}, 0, nullptr},
    {"wordwrap", {}, 0, nullptr},
    {"xmlattr", {}, 0, nullptr},
};

}  // namespace

const Function* find_filter(std::string_view name) {
  for (const Function& filter : kFilters) {
    if (filter.name == name) return &filter;
  }
  return find_sequence_filter(name);
}

}  // namespace specthink::jinja
