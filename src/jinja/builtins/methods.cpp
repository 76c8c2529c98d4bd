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

template <bool kAtEnd>
Value affix_test(Runtime& runtime, const Value& self, const CallArguments& args) {
  const std::string& text = receiver(runtime, self);
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

template <std::string (*kConvert)(std::string_view)>
Value convert_text(Runtime& runtime, const Value& self, const CallArguments&) {
  return runtime.text(kConvert(receiver(runtime, self)));
}

constexpr Function kStringMethods[] = {
    {"capitalize", {}, 0, convert_text<capitalize>},
    {"endswith", {"suffix", "!start", "!end"}, 1, affix_test<true>},
    {"lower", {}, 0, convert_text<lowercase>},
    {"lstrip", {"chars"}, 0, strip_method<Side::kLeft>},
    {"replace", {"old", "new", "count"}, 2, replace},
    {"rstrip", {"chars"}, 0, strip_method<Side::kRight>},
    {"split", {"sep", "maxsplit"}, 0, split_method},
    {"startswith", {"prefix", "!start", "!end"}, 1, affix_test<false>},
    {"strip", {"chars"}, 0, strip_method<Side::kBoth>},
    {"title", {}, 0, convert_text<title>},
    {"upper", {}, 0, convert_text<uppercase>},
};
// Known to Python, so that `text.format is defined` is true.
constexpr auto kUnsupportedOfStrings = unsupported(
    "casefold", "center", "count", "encode", "expandtabs", "find", "format", "format_map", "index", "isalnum",
    "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric", "isprintable", "isspace",
    "istitle", "join", "isupper", "ljust", "maketrans", "partition", "removeprefix", "removesuffix", "rfind", "rindex",
    "rjust", "rpartition", "rsplit", "splitlines", "swapcase", "translate", "zfill");

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

constexpr Function kDictMethods[] = {
    {"get", {"key", "default"}, 1, dict_get},
    {"items", {}, 0, dict_view<SequenceType::kItems>},
    {"keys", {}, 0, dict_view<SequenceType::kKeys>},
    {"values", {}, 0, dict_view<SequenceType::kValues>},
};
constexpr auto kUnsupportedOfDicts = unsupported("copy", "fromkeys");
constexpr auto kUnsupportedOfSequences = unsupported("count", "index");
constexpr auto kUnsupportedOfLists = unsupported("copy");

}  // namespace

const Function* find_method(const Value& value, std::string_view name) {
  if (value.is_string()) return find_function({kStringMethods, kUnsupportedOfStrings}, name);
  if (value.dict()) return find_function({kDictMethods, kUnsupportedOfDicts}, name);
  const bool is_list = value.is_sequence(SequenceType::kList);
  if (!value.is_list_or_tuple() && !value.is_sequence(SequenceType::kRange)) return nullptr;
  return find_function({kUnsupportedOfSequences, std::span(kUnsupportedOfLists).first(is_list ? 1 : 0)}, name);
}

}  // namespace specthink::jinja
