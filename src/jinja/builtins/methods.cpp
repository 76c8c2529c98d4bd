// Methods of str, dict, list and tuple.
#include <algorithm>
#include <optional>

#include "jinja/builtins/function.h"
#include "jinja/operators.h"
#include "specthink/base/lowercase.h"
#include "specthink/base/python/text.h"
#include "specthink/base/utf8.h"
#include "specthink/jinja/error.h"

namespace specthink::jinja {
namespace {

// The receiver of a string method. Reading it is paid for here, once for all methods.
const std::string& receiver(Runtime& runtime, const Value& self) {
  runtime.spend(self.string()->size());
  return *self.string();
}

// A str argument; missing and None are the same.
std::optional<std::string_view> optional_text(const Args& args, std::size_t parameter) {
  return args.has(parameter) ? std::optional<std::string_view>(args.string(parameter)) : std::nullopt;
}

Value list_of_texts(Runtime& runtime, const std::vector<std::string_view>& parts) {
  Values items;
  for (const std::string_view part : parts) items.push_back(runtime.text(std::string(part)));
  return Value::list(std::move(items));
}

template <auto kSplit>
Value split_method(Runtime& runtime, const Value& self, const Args& args) {
  const auto separator = optional_text(args, 0);
  if (separator && separator->empty()) fail("{}: empty separator", args.callee());
  const auto max_splits = static_cast<std::ptrdiff_t>(args.integer(1, -1));
  return list_of_texts(runtime, kSplit(receiver(runtime, self), separator, max_splits));
}

template <python::Side kSide>
Value strip_method(Runtime& runtime, const Value& self, const Args& args) {
  const auto chars = optional_text(args, 0);
  if (chars) runtime.spend(chars->size() * 8);
  return runtime.text(std::string(python::strip(receiver(runtime, self), kSide, chars)));
}

// text[start:end] by the optional arguments behind the first one.
Value part_of(Runtime& runtime, const Value& self, const Args& args) {
  if (!args.has(1) && !args.has(2)) return self;
  return slice(runtime, self, args.get_or(1, Value()), args.get_or(2, Value()), Value());
}

template <bool kAtEnd>
Value affix_test(Runtime& runtime, const Value& self, const Args& args) {
  const Value part = part_of(runtime, self, args);
  const std::string& text = receiver(runtime, part);
  const auto matches = [&](const Value& affix) {
    if (!affix.is_string()) fail("{}: expected a str or a tuple of str, not {}", args.callee(), affix.type_name());
    return kAtEnd ? text.ends_with(*affix.string()) : text.starts_with(*affix.string());
  };
  const Value& affix = *args.get(0);
  return affix.is_sequence(SequenceType::kTuple) ? std::ranges::any_of(affix.sequence()->items, matches)
                                                 : matches(affix);
}

// `count` below 0 is all.
Value replace(Runtime& runtime, const Value& self, const Args& args) {
  const std::string& text = receiver(runtime, self);
  const std::string& old = args.string(0);
  const std::size_t found = python::count_text(text, old);
  const std::size_t count = std::min(static_cast<std::size_t>(args.integer(2, -1)), found);
  runtime.check_text_size(text.size() - count * old.size() + count * args.string(1).size());
  return python::replace_text(text, old, args.string(1), count);
}

// str.find and its kin: the position in characters of the first or last occurrence.
template <bool kLast, bool kMustBe>
Value find_part(Runtime& runtime, const Value& self, const Args& args) {
  const Value part = part_of(runtime, self, args);
  const std::string& text = receiver(runtime, part);
  const std::size_t found = kLast ? text.rfind(args.string(0)) : python::find_text(text, args.string(0));
  if (found == text.npos && kMustBe) fail("substring not found");
  if (found == text.npos) return std::int64_t{-1};
  std::int64_t start = args.has(1) ? args.integer(1, 0) : 0;
  if (start < 0) start = std::max<std::int64_t>(start + length(self), 0);
  return start + static_cast<std::int64_t>(count_characters(std::string_view(text).substr(0, found)));
}

Value count_in_text(Runtime& runtime, const Value& self, const Args& args) {
  const Value part = part_of(runtime, self, args);
  return static_cast<std::int64_t>(python::count_text(receiver(runtime, part), args.string(0)));
}

Value join_method(Runtime& runtime, const Value& self, const Args& args) {
  TextBuilder out(runtime);
  bool is_first = true;
  for (const Value& item : items_of(runtime, *args.get(0))) {
    if (!item.is_string()) fail("join: expected str instances, {} found", item.type_name());
    if (!is_first) out.append(*self.string());
    out.append(*item.string());
    is_first = false;
  }
  return out.take();
}

template <bool kLast>
Value partition(Runtime& runtime, const Value& self, const Args& args) {
  const std::string& text = receiver(runtime, self);
  const std::string& separator = args.string(0);
  if (separator.empty()) fail("{}: empty separator", args.callee());
  const std::size_t found = kLast ? text.rfind(separator) : python::find_text(text, separator);
  if (found == text.npos) return kLast ? Value::tuple({"", "", self}) : Value::tuple({self, "", ""});
  return Value::tuple({text.substr(0, found), separator, text.substr(found + separator.size())});
}

Value splitlines(Runtime& runtime, const Value& self, const Args& args) {
  return list_of_texts(runtime, python::split_lines(receiver(runtime, self), args.flag(0)));
}

template <bool kSuffix>
Value remove_affix(Runtime& runtime, const Value& self, const Args& args) {
  std::string_view text = receiver(runtime, self);
  const std::string& affix = args.string(0);
  if (kSuffix && text.ends_with(affix)) text.remove_suffix(affix.size());
  if (!kSuffix && text.starts_with(affix)) text.remove_prefix(affix.size());
  return runtime.text(std::string(text));
}

Value zfill(Runtime& runtime, const Value& self, const Args& args) {
  const auto width = static_cast<std::size_t>(std::max<std::int64_t>(args.integer(0, 0), 0));
  runtime.check_text_size(width);
  return python::fill_with_zeros(receiver(runtime, self), width);
}

// All characters are of the kind, and there is one.
template <bool (*kIs)(char32_t)>
Value each_is(Runtime& runtime, const Value& self, const Args&) {
  const std::u32string text = code_points(receiver(runtime, self));
  return !text.empty() && std::ranges::all_of(text, kIs);
}

bool is_alphanumeric(char32_t code) { return python::is_letter(code) || python::is_numeric(code); }

template <std::string (*kConvert)(std::string_view)>
Value cased(Runtime& runtime, const Value& self, const Args&) {
  return python::has_case(receiver(runtime, self), kConvert);
}

template <std::string (*kConvert)(std::string_view)>
Value convert_text(Runtime& runtime, const Value& self, const Args&) {
  return runtime.text(kConvert(receiver(runtime, self)));
}

constexpr Function kStringMethods[] = {
    {"capitalize", convert_text<python::capitalize>},
    {"count", count_in_text, {"sub", "start", "end"}, 1},
    {"endswith", affix_test<true>, {"suffix", "start", "end"}, 1},
    {"find", find_part<false, false>, {"sub", "start", "end"}, 1},
    {"index", find_part<false, true>, {"sub", "start", "end"}, 1},
    {"isalnum", each_is<is_alphanumeric>},
    {"isalpha", each_is<python::is_letter>},
    {"isdecimal", each_is<python::is_decimal_digit>},
    {"isdigit", each_is<python::is_decimal_digit>},
    {"islower", cased<lowercase>},
    {"isspace", each_is<python::is_space>},
    {"isupper", cased<python::uppercase>},
    {"join", join_method, {"iterable"}, 1},
    {"lower", convert_text<lowercase>},
    {"lstrip", strip_method<python::Side::kLeft>, {"chars"}},
    {"partition", partition<false>, {"sep"}, 1},
    {"removeprefix", remove_affix<false>, {"prefix"}, 1},
    {"removesuffix", remove_affix<true>, {"suffix"}, 1},
    {"replace", replace, {"old", "new", "count"}, 2},
    {"rfind", find_part<true, false>, {"sub", "start", "end"}, 1},
    {"rindex", find_part<true, true>, {"sub", "start", "end"}, 1},
    {"rpartition", partition<true>, {"sep"}, 1},
    {"rsplit", split_method<python::split_from_right>, {"sep", "maxsplit"}},
    {"rstrip", strip_method<python::Side::kRight>, {"chars"}},
    {"split", split_method<python::split>, {"sep", "maxsplit"}},
    {"splitlines", splitlines, {"keepends"}},
    {"startswith", affix_test<false>, {"prefix", "start", "end"}, 1},
    {"strip", strip_method<python::Side::kBoth>, {"chars"}},
    {"title", convert_text<python::title>},
    {"upper", convert_text<python::uppercase>},
    {"zfill", zfill, {"width"}, 1},
};
// Known to Python, so that `text.format is defined` is true.
constexpr auto kUnsupportedOfStrings =
    unsupported("casefold", "center", "encode", "expandtabs", "format", "format_map", "isascii", "isidentifier",
                "isnumeric", "isprintable", "istitle", "ljust", "maketrans", "rjust", "swapcase", "translate");

Value dict_get(Runtime& runtime, const Value& self, const Args& args) {
  require_hashable(*args.get(0));
  runtime.spend(self.dict()->entries.size());
  const Value* found = self.dict()->find(*args.get(0));
  return found != nullptr ? *found : args.get_or(1, Value());
}

template <SequenceType kView>
Value dict_view(Runtime& runtime, const Value& self, const Args&) {
  Values items;
  runtime.spend(self.dict()->entries.size() * sizeof(Value));
  for (const auto& [key, value] : self.dict()->entries) {
    items.push_back(kView == SequenceType::kKeys     ? key
                    : kView == SequenceType::kValues ? value
                                                     : Value::tuple({key, value}));
  }
  return Value::sequence(kView, std::move(items));
}

Value copy(Runtime&, const Value& self, const Args&) { return self; }

constexpr Function kDictMethods[] = {
    {"copy", copy},
    {"get", dict_get, {"key", "default"}, 1},
    {"items", dict_view<SequenceType::kItems>},
    {"keys", dict_view<SequenceType::kKeys>},
    {"values", dict_view<SequenceType::kValues>},
};
constexpr auto kUnsupportedOfDicts = unsupported("fromkeys");

Value count_item(Runtime& runtime, const Value& self, const Args& args) {
  const auto is_it = [&](const Value& item) { return equal(runtime, item, *args.get(0)); };
  return std::int64_t{std::ranges::count_if(self.sequence()->items, is_it)};
}

Value index_of_item(Runtime& runtime, const Value& self, const Args& args) {
  const Values& items = self.sequence()->items;
  const auto is_it = [&](const Value& item) { return equal(runtime, item, *args.get(0)); };
  const auto found = std::ranges::find_if(items, is_it);
  if (found == items.end()) fail("the value is not in the {}", self.type_name());
  return std::int64_t{found - items.begin()};
}

constexpr Function kSequenceMethods[] = {
    {"count", count_item, {"value"}, 1},
    {"index", index_of_item, {"value", "!start", "!stop"}, 1},
    {"copy", copy},  // of lists alone
};

}  // namespace

const Function* find_method(const Value& value, std::string_view name) {
  if (value.is_string()) return find_function({kStringMethods, kUnsupportedOfStrings}, name);
  if (value.dict()) return find_function({kDictMethods, kUnsupportedOfDicts}, name);
  const bool is_list = value.is_sequence(SequenceType::kList);
  if (!value.is_list_or_tuple() && !value.is_sequence(SequenceType::kRange)) return nullptr;
  return find_function({std::span(kSequenceMethods).first(is_list ? 3 : 2)}, name);
}

}  // namespace specthink::jinja
