// Filters that make a text or a number of a value.
#include <cmath>
#include <optional>
#include <string>

#include "jinja/builtins/function.h"
#include "jinja/format.h"
#include "jinja/operators.h"
#include "specthink/base/lowercase.h"
#include "specthink/base/python/error.h"
#include "specthink/base/python/text.h"
#include "specthink/base/strings.h"
#include "specthink/base/utf8.h"
#include "specthink/jinja/error.h"

namespace specthink::jinja {
namespace {

Value string_filter(Runtime& runtime, const Value& self, const Args&) { return runtime.text(to_text(runtime, self)); }

Value call_method(Runtime& runtime, const Value& self, std::string_view method, const Arguments& arguments) {
  const Value text = to_text(runtime, self);
  return call_function(runtime, *find_method(text, method), text, arguments);
}

// Methods of str are filters too, of any value as text; strip is called trim.
Value text_method(Runtime& runtime, const Value& self, const Args& args) {
  return call_method(runtime, self, args.callee() == "trim" ? "strip" : args.callee(), args.all());
}

Value replace_filter(Runtime& runtime, const Value& self, const Args& args) {
  const Value count = args.has(2) ? *args.get(2) : Value(std::int64_t{-1});
  const Values given{to_text(runtime, *args.get(0)), to_text(runtime, *args.get(1)), count};
  return call_method(runtime, self, "replace", {given, {}});
}

Value indent_filter(Runtime& runtime, const Value& self, const Args& args) {
  if (!self.is_string()) fail("indent: expected a str, not {}", self.type_name());
  const std::string before = indentation_argument(runtime, args, 0, 4);
  const std::string text = *self.string() + "\n";  // so that a last line break begins an empty line
  runtime.check_text_size(text.size());
  TextBuilder out(runtime);
  bool is_first = true;
  for (const std::string_view line : python::split_lines(text)) {
    if (!is_first) out.append("\n");
    if (is_first ? args.flag(1) : args.flag(2) || !line.empty()) out.append(before);
    out.append(line);
    is_first = false;
  }
  return out.take();
}

// The reference marks the result, so that it is not escaped again; here nothing is escaped unasked.
Value escape_filter(Runtime& runtime, const Value& self, const Args&) {
  const std::string text = to_text(runtime, self);
  runtime.spend(text.size() * 8);
  return runtime.text(escape_html(text));
}

Value format_filter(Runtime& runtime, const Value& self, const Args& args) {
  const auto& [positional, named] = args.all();
  if (!positional.empty() && !named.empty())
    fail("format: can't handle positional and keyword arguments at the same time");
  const Value given = named.empty() ? Value::tuple(positional) : Value::dict({named.begin(), named.end()});
  return format_text(runtime, to_text(runtime, self), given);
}

// Words begin after white space and opening punctuation, and only there.
Value title_filter(Runtime& runtime, const Value& self, const Args&) {
  const auto is_inside = [](char32_t code) {
    return !python::is_space(code) && std::u32string_view(U"-({[<").find(code) == std::u32string_view::npos;
  };
  const auto capitalized = [](std::string_view word) {
    const std::size_t first = next_utf8(word).length;
    return python::uppercase(word.substr(0, first)) + lowercase(word.substr(first));
  };
  return runtime.text(python::convert_words(to_text(runtime, self), is_inside, capitalized));
}

Value int_filter(Runtime&, const Value& self, const Args& args) {
  self.require_defined();
  if (const auto integer = self.as_integer()) return *integer;
  const std::int64_t base = args.integer(1, 10);
  const Value otherwise = args.get_or(0, std::int64_t{0});
  if (base != 0 && (base < 2 || base > 36)) return otherwise;
  try {
    const std::string* text = self.string();
    if (const auto integer = text ? python::parse_int(*text, base) : std::nullopt) return *integer;
    const auto number = text ? python::parse_float(*text) : self.as_number();
    return number && std::isfinite(*number) ? Value(python::truncate(*number)) : otherwise;
  } catch (const python::Error& error) {
    fail("int: {}", error.what());
  }
}

Value float_filter(Runtime&, const Value& self, const Args& args) {
  self.require_defined();
  if (const auto number = self.as_number()) return *number;
  const auto number = self.is_string() ? python::parse_float(*self.string()) : std::nullopt;
  return number ? Value(*number) : args.get_or(0, 0.0);
}

Value abs_filter(Runtime&, const Value& self, const Args&) {
  self.require_defined();
  if (const double* real = self.real()) return std::abs(*real);
  if (!self.as_integer()) fail("bad operand type for abs(): '{}'", self.type_name());
  return *self.as_integer() < 0 ? negate(self) : Value(*self.as_integer());
}

Value round_filter(Runtime&, const Value& self, const Args& args) {
  self.require_defined();
  const std::int64_t precision = args.integer(0, 0);
  const std::string method = args.has(1) ? args.string(1) : "common";
  if (!self.as_number()) fail("type {} doesn't define __round__ method", self.type_name());
  if (precision < 0 || precision > 300) fail("round: a precision of {} is not supported", precision);
  if (method == "common") return self.as_integer() ? *self.as_integer() : Value(python::round(*self.real(), precision));
  if (method != "ceil" && method != "floor") fail("round: the method must be common, ceil or floor");
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = *self.as_number() * scale;
  return (method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale;
}

constexpr Function kScalarFilters[] = {
    {"abs", abs_filter},
    {"capitalize", text_method},
    {"e", escape_filter},
    {"escape", escape_filter},
    {"float", float_filter, {"default"}},
    {"forceescape", escape_filter},
    {"format", format_filter, {kAnyArguments}},
    {"indent", indent_filter, {"width", "first", "blank"}},
    {"int", int_filter, {"default", "base"}},
    {"lower", text_method},
    {"replace", replace_filter, {"old", "new", "count"}, 2},
    {"round", round_filter, {"precision", "method"}},
    {"safe", string_filter},  // nothing is ever escaped
    {"string", string_filter},
    {"title", title_filter},
    {"trim", text_method, {"chars"}},
    {"upper", text_method},
};

}  // namespace

std::span<const Function> scalar_filters() { return kScalarFilters; }

}  // namespace specthink::jinja
