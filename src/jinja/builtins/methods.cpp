// Methods of str, dict, list and tuple.
#include <algorithm>
#include <optional>

#include "jinja/builtins/function.h"
#include "jinja/operators.h"
#include "jinja/unicode.h"
#include "specthink/base/lowercase.h"
#include "specthink/jinja/error.h"

namespace specthink::jinja {
namespace {

// The receiver of a string method. Reading it is paid for here, once for all methods.
const std::string& receiver(Runtime& runtime, const Value& self) {
  runtime.spend(self.string()->size());
  return *self.string();
}

// A str argument; missing and None are the same.
std::optional<std::string_view> optional_text(const CallArguments& args, std::size_t parameter) {
  if (!args.has(parameter)) return std::nullopt;
  return args.string(parameter);
}

Value split_method(Runtime& runtime, const Value& self, const CallArguments& args) {
  const auto separator = optional_text(args, 0);
  if (separator && separator->empty()) fail("{}: empty separator", args.callee());
  Values parts;
  for (const auto part : split(receiver(runtime, self), separator, static_cast<std::ptrdiff_t>(args.integer(1, -1)))) {
    parts.push_back(runtime.text(std::string(part)));
  }
  return Value::list(std::move(parts));
}

template <Side kSide>
Value strip_method(Runtime& runtime, const Value& self, const CallArguments& args) {
  const auto chars = optional_text(args, 0);
  if (chars) runtime.spend(chars->size() * 8);
  return runtime.text(std::string(strip(receiver(runtime, self), kSide, chars)));
}

// text[start:end] by the optional arguments at `parameter` and behind it.
Value part_of(Runtime& runtime, const Value& self, const CallArguments& args, std::size_t parameter) {
  if (!args.has(parameter) && !args.has(parameter + 1)) return self;
  return slice(runtime, self, args.get_or(parameter, Value()), args.get_or(parameter + 1, Value()), Value());
}

template <bool kAtEnd>
Value affix_test(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Value part = part_of(runtime, self, args, 1);
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
Value replace(Runtime& runtime, const Value& self, const CallArguments& args) {
  const std::string_view text = receiver(runtime, self);
  const std::string& old = args.string(0);
  TextBuilder out(runtime);
  std::size_t position = 0;
  for (std::int64_t count = args.integer(2, -1); count != 0; --count) {
    const std::size_t found = find_text(text, old, position);
    if (found == text.npos) break;
    out.append(text.substr(position, found - position));
    out.append(args.string(1));
    position = found + old.size();
    if (old.empty()) {  // before each character and at the end
      if (position == text.size()) return out.take();
      next_code_point(text, position);
      out.append(text.substr(found, position - found));
    }
  }
  out.append(text.substr(position));
  return out.take();
}

// str.find and its kin: the position in characters of the first or last occurrence.
template <bool kLast, bool kMustBe>
Value find_method_of_text(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Value part = part_of(runtime, self, args, 1);
  const std::string& text = receiver(runtime, part);
  const std::size_t found = kLast ? text.rfind(args.string(0)) : find_text(text, args.string(0));
  if (found == text.npos && kMustBe) fail("substring not found");
  if (found == text.npos) return std::int64_t{-1};
  std::int64_t start = args.has(1) ? args.integer(1, 0) : 0;
  if (start < 0) start = std::max<std::int64_t>(start + length(self), 0);
  return start + static_cast<std::int64_t>(text_length(std::string_view(text).substr(0, found)));
}

Value count_in_text(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Value part = part_of(runtime, self, args, 1);
  const std::string& text = receiver(runtime, part);
  const std::string& wanted = args.string(0);
  if (wanted.empty()) return length(part) + 1;
  std::int64_t count = 0;
  for (std::size_t at = find_text(text, wanted); at != text.npos; at = find_text(text, wanted, at + wanted.size())) {
    ++count;
  }
  return count;
}

Value join_method(Runtime& runtime, const Value& self, const CallArguments& args) {
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

Value rsplit_method(Runtime& runtime, const Value& self, const CallArguments& args) {
  const auto separator = optional_text(args, 0);
  if (separator && separator->empty()) fail("{}: empty separator", args.callee());
  std::int64_t splits = args.integer(1, -1);
  if (splits < 0) return split_method(runtime, self, args);
  std::string_view text = receiver(runtime, self);
  Values parts;
  if (!separator) text = strip(text, Side::kRight);
  while (splits-- > 0 && !text.empty()) {
    std::size_t begin = 0;  // of the last part
    std::size_t end = 0;    // of the text before it
    if (separator) {
      end = text.rfind(*separator);
      if (end == text.npos) break;
      begin = end + separator->size();
    } else {
      for (begin = text.size(); begin > 0 && !is_space(last_utf8(text.substr(0, begin)).code);) {
        begin -= last_utf8(text.substr(0, begin)).length;
      }
      if (begin == 0) break;
      end = strip(text.substr(0, begin), Side::kRight).size();
    }
    parts.push_back(runtime.text(std::string(text.substr(begin))));
    text = text.substr(0, end);
  }
  if (separator || !text.empty()) parts.push_back(runtime.text(std::string(text)));
  std::ranges::reverse(parts);
  return Value::list(std::move(parts));
}

template <bool kLast>
Value partition(Runtime& runtime, const Value& self, const CallArguments& args) {
  const std::string& text = receiver(runtime, self);
  const std::string& separator = args.string(0);
  if (separator.empty()) fail("{}: empty separator", args.callee());
  const std::size_t found = kLast ? text.rfind(separator) : find_text(text, separator);
  if (found == text.npos) return kLast ? Value::tuple({"", "", self}) : Value::tuple({self, "", ""});
  return Value::tuple({text.substr(0, found), separator, text.substr(found + separator.size())});
}

Value splitlines(Runtime& runtime, const Value& self, const CallArguments& args) {
  const std::string& text = receiver(runtime, self);
  const std::vector<std::string_view> lines = split_lines(text);
  Values result;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const char* const end = i + 1 < lines.size() ? lines[i + 1].data() : text.data() + text.size();
    const auto whole = static_cast<std::size_t>(end - lines[i].data());
    result.push_back(runtime.text(std::string(lines[i].data(), args.flag(0) ? whole : lines[i].size())));
  }
  return Value::list(std::move(result));
}

template <bool kSuffix>
Value remove_affix(Runtime& runtime, const Value& self, const CallArguments& args) {
  std::string_view text = receiver(runtime, self);
  const std::string& affix = args.string(0);
  if (kSuffix ? text.ends_with(affix) : text.starts_with(affix)) {
    kSuffix ? text.remove_suffix(affix.size()) : text.remove_prefix(affix.size());
  }
  return runtime.text(std::string(text));
}

Value zfill(Runtime& runtime, const Value& self, const CallArguments& args) {
  std::string text = receiver(runtime, self);
  const std::int64_t missing = std::max<std::int64_t>(args.integer(0, 0) - length(self), 0);
  runtime.check_text_size(text.size() + static_cast<std::size_t>(missing));
  const bool has_sign = text.starts_with('-') || text.starts_with('+');
  return text.insert(has_sign ? 1 : 0, static_cast<std::size_t>(missing), '0');
}

// All characters are of the kind, and there is one.
template <bool (*kIs)(char32_t)>
Value each_is(Runtime& runtime, const Value& self, const CallArguments&) {
  const std::u32string text = code_points(receiver(runtime, self));
  return !text.empty() && std::ranges::all_of(text, kIs);
}

bool is_alphanumeric(char32_t code) { return is_letter(code) || is_numeric(code); }

template <std::string (*kConvert)(std::string_view)>
Value cased(Runtime& runtime, const Value& self, const CallArguments&) {
  return has_case(receiver(runtime, self), kConvert);
}

template <std::string (*kConvert)(std::string_view)>
Value convert_text(Runtime& runtime, const Value& self, const CallArguments&) {
  return runtime.text(kConvert(receiver(runtime, self)));
}

constexpr Function kStringMethods[] = {
    {"capitalize", {}, 0, convert_text<capitalize>},
    {"count", {"sub", "start", "end"}, 1, count_in_text},
    {"endswith", {"suffix", "start", "end"}, 1, affix_test<true>},
    {"find", {"sub", "start", "end"}, 1, find_method_of_text<false, false>},
    {"index", {"sub", "start", "end"}, 1, find_method_of_text<false, true>},
    {"isalnum", {}, 0, each_is<is_alphanumeric>},
    {"isalpha", {}, 0, each_is<is_letter>},
    {"isdecimal", {}, 0, each_is<is_decimal_digit>},
    {"isdigit", {}, 0, each_is<is_decimal_digit>},
    {"islower", {}, 0, cased<lowercase>},
    {"isspace", {}, 0, each_is<is_space>},
    {"isupper", {}, 0, cased<uppercase>},
    {"join", {"iterable"}, 1, join_method},
    {"lower", {}, 0, convert_text<lowercase>},
    {"lstrip", {"chars"}, 0, strip_method<Side::kLeft>},
    {"partition", {"sep"}, 1, partition<false>},
    {"removeprefix", {"prefix"}, 1, remove_affix<false>},
    {"removesuffix", {"suffix"}, 1, remove_affix<true>},
    {"replace", {"old", "new", "count"}, 2, replace},
    {"rfind", {"sub", "start", "end"}, 1, find_method_of_text<true, false>},
    {"rindex", {"sub", "start", "end"}, 1, find_method_of_text<true, true>},
    {"rpartition", {"sep"}, 1, partition<true>},
    {"rsplit", {"sep", "maxsplit"}, 0, rsplit_method},
    {"rstrip", {"chars"}, 0, strip_method<Side::kRight>},
    {"split", {"sep", "maxsplit"}, 0, split_method},
    {"splitlines", {"keepends"}, 0, splitlines},
    {"startswith", {"prefix", "start", "end"}, 1, affix_test<false>},
    {"strip", {"chars"}, 0, strip_method<Side::kBoth>},
    {"title", {}, 0, convert_text<title>},
    {"upper", {}, 0, convert_text<uppercase>},
    {"zfill", {"width"}, 1, zfill},
};
// Known to Python, so that `text.format is defined` is true.
constexpr auto kUnsupportedOfStrings =
    unsupported("casefold", "center", "encode", "expandtabs", "format", "format_map", "isascii", "isidentifier",
                "isnumeric", "isprintable", "istitle", "ljust", "maketrans", "rjust", "swapcase", "translate");

Value dict_get(Runtime& runtime, const Value& self, const CallArguments& args) {
  require_hashable(*args.get(0));
  runtime.spend(self.dict()->entries.size());
  const Value* found = self.dict()->find(*args.get(0));
  return found != nullptr ? *found : args.get_or(1, Value());
}

template <SequenceType kView>
Value dict_view(Runtime& runtime, const Value& self, const CallArguments&) {
  Values items;
  runtime.spend(self.dict()->entries.size() * sizeof(Value));
  for (const auto& [key, value] : self.dict()->entries) {
    if (kView == SequenceType::kKeys) items.push_back(key);
    if (kView == SequenceType::kValues) items.push_back(value);
    if (kView == SequenceType::kItems) items.push_back(Value::tuple({key, value}));
  }
  return Value::sequence(kView, std::move(items));
}

Value copy(Runtime&, const Value& self, const CallArguments&) { return self; }

constexpr Function kDictMethods[] = {
    {"copy", {}, 0, copy},
    {"get", {"key", "default"}, 1, dict_get},
    {"items", {}, 0, dict_view<SequenceType::kItems>},
    {"keys", {}, 0, dict_view<SequenceType::kKeys>},
    {"values", {}, 0, dict_view<SequenceType::kValues>},
};
constexpr auto kUnsupportedOfDicts = unsupported("fromkeys");

Value count_item(Runtime& runtime, const Value& self, const CallArguments& args) {
  const auto is_it = [&](const Value& item) { return equal(runtime, item, *args.get(0)); };
  return std::int64_t{std::ranges::count_if(self.sequence()->items, is_it)};
}

Value index_of_item(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Values& items = self.sequence()->items;
  const auto is_it = [&](const Value& item) { return equal(runtime, item, *args.get(0)); };
  const auto found = std::ranges::find_if(items, is_it);
  if (found == items.end()) fail("the value is not in the {}", self.type_name());
  return std::int64_t{found - items.begin()};
}

constexpr Function kSequenceMethods[] = {
    {"count", {"value"}, 1, count_item},
    {"index", {"value", "!start", "!stop"}, 1, index_of_item},
    {"copy", {}, 0, copy},  // of lists alone
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
