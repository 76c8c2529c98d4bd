// Methods of str, dict, list and tuple.
#include <algorithm>

#include "specthink/base/lowercase.h"
#include "text/jinja_error.h"
#include "text/jinja_function.h"
#include "text/jinja_operators.h"
#include "text/jinja_unicode.h"

namespace specthink::jinja {
namespace {

using Parts = std::vector<std::string_view>;

// The receiver of a string method. Reading it is paid for here, once for all methods.
const std::string& receiver(Runtime& runtime, const Value& self) {
  runtime.spend(self.string()->size());
  return *self.string();
}

// A str argument; missing and None are the same.
std::optional<std::string_view> optional_text(const CallArguments& args, std::size_t parameter) {
  if (args.get(parameter) == nullptr || args.get(parameter)->is_none()) return std::nullopt;
  return args.string(parameter);
}

Value text_list(Runtime& runtime, const Parts& parts) {
  Values items;
  for (const std::string_view part : parts) items.push_back(runtime.text(std::string(part)));
  return runtime.list(std::move(items));
}

template <auto kSplit>
Value split_method(Runtime& runtime, const Value& self, const CallArguments& args) {
  const auto separator = optional_text(args, 0);
  if (separator && separator->empty()) fail("{}: empty separator", args.callee());
  const std::string& text = receiver(runtime, self);
  return text_list(runtime, kSplit(text, separator, static_cast<std::ptrdiff_t>(args.integer(1, -1))));
}

Value splitlines(Runtime& runtime, const Value& self, const CallArguments& args) {
  return text_list(runtime, split_lines(receiver(runtime, self), args.flag(0)));
}

template <Side kSide>
Value strip_method(Runtime& runtime, const Value& self, const CallArguments& args) {
  const auto chars = optional_text(args, 0);
  if (chars) runtime.spend(chars->size() * 8);
  return runtime.text(std::string(strip(receiver(runtime, self), kSide, chars)));
}

// The part of the string between the optional arguments `start` and `end`, and where it begins in bytes.
struct Window {
  std::string_view text;
  std::size_t offset = 0;
  std::int64_t first = 0;  // code points before it
  bool valid = true;       // false when start is behind the end
};

Window window(Runtime& runtime, const Value& self, const CallArguments& args, std::size_t parameter) {
  const std::string& text = receiver(runtime, self);
  if (args.get(parameter) == nullptr && args.get(parameter + 1) == nullptr) return {text};
  const auto count = static_cast<std::int64_t>(text_length(text));
  const auto place = [&](std::size_t i, std::int64_t otherwise) {
    if (args.get(i) == nullptr || args.get(i)->is_none()) return otherwise;
    const std::int64_t position = args.integer(i, 0);
    return position < 0 ? std::max<std::int64_t>(position + count, 0) : position;
  };
  const std::int64_t start = place(parameter, 0);
  const std::int64_t end = std::min(place(parameter + 1, count), count);
  if (start > end) return {{}, 0, 0, false};
  const std::size_t from = byte_offset(text, static_cast<std::size_t>(start));
  const std::size_t to = byte_offset(text, static_cast<std::size_t>(end));
  return {std::string_view(text).substr(from, to - from), from, start, true};
}

template <bool kAtEnd>
Value affix_test(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Window part = window(runtime, self, args, 1);
  const auto matches = [&](const Value& affix) {
    if (!affix.is_string()) fail("{}: expected a str or a tuple of str, not {}", args.callee(), affix.type_name());
    if (!part.valid) return false;
    return kAtEnd ? part.text.ends_with(*affix.string()) : part.text.starts_with(*affix.string());
  };
  const Value& affix = *args.get(0);
  if (!affix.is_sequence(SequenceType::kTuple)) return matches(affix);
  return std::any_of(affix.sequence()->items.begin(), affix.sequence()->items.end(), matches);
}

template <bool kFromRight, bool kMustExist>
Value find_method(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Window part = window(runtime, self, args, 1);
  const std::string& wanted = args.string(0);
  std::size_t found = std::string_view::npos;
  if (part.valid) found = kFromRight ? part.text.rfind(wanted) : find_text(part.text, wanted);
  if (found != std::string_view::npos) {
    return part.first + static_cast<std::int64_t>(text_length(part.text.substr(0, found)));
  }
  if (kMustExist) fail("{}: substring not found", args.callee());
  return std::int64_t{-1};
}

Value count_text(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Window part = window(runtime, self, args, 1);
  const std::string& wanted = args.string(0);
  if (!part.valid) return std::int64_t{0};
  if (wanted.empty()) return static_cast<std::int64_t>(text_length(part.text)) + 1;
  std::int64_t count = 0;
  for (std::size_t at = find_text(part.text, wanted); at != std::string_view::npos;
       at = find_text(part.text, wanted, at + wanted.size())) {
    ++count;
  }
  return count;
}

Value replace(Runtime& runtime, const Value& self, const CallArguments& args) {
  return replace_text(runtime, receiver(runtime, self), args.string(0), args.string(1), args.integer(2, -1));
}

Value join(Runtime& runtime, const Value& self, const CallArguments& args) {
  TextBuilder out(runtime);
  bool first = true;
  for (const Value& part : items_of(runtime, *args.get(0))) {
    if (!part.is_string()) fail("join: expected str items, found {}", part.type_name());
    if (!first) out.append(*self.string());
    out.append(*part.string());
    first = false;
  }
  return out.take();
}

template <std::string (*kConvert)(std::string_view)>
Value convert(Runtime& runtime, const Value& self, const CallArguments&) {
  return runtime.text(kConvert(receiver(runtime, self)));
}

template <bool (*kHas)(char32_t)>
Value all_are(Runtime& runtime, const Value& self, const CallArguments&) {
  const std::u32string codes = code_points(receiver(runtime, self));
  return !codes.empty() && std::all_of(codes.begin(), codes.end(), kHas);
}

bool is_alphanumeric(char32_t code) { return is_alphabetic(code) || is_digit(code); }

// str.isupper: there is a cased character, and none of the other case.
template <bool (*kHas)(char32_t), bool (*kOther)(char32_t)>
Value case_test(Runtime& runtime, const Value& self, const CallArguments&) {
  const std::u32string codes = code_points(receiver(runtime, self));
  return std::any_of(codes.begin(), codes.end(), kHas) && std::none_of(codes.begin(), codes.end(), kOther);
}

template <bool kSuffix>
Value remove_affix(Runtime& runtime, const Value& self, const CallArguments& args) {
  std::string_view text = receiver(runtime, self);
  const std::string& affix = args.string(0);
  if (kSuffix && text.ends_with(affix)) text.remove_suffix(affix.size());
  if (!kSuffix && text.starts_with(affix)) text.remove_prefix(affix.size());
  return runtime.text(std::string(text));
}

template <bool kFromRight>
Value partition(Runtime& runtime, const Value& self, const CallArguments& args) {
  const std::string_view text = receiver(runtime, self);
  const std::string& separator = args.string(0);
  if (separator.empty()) fail("{}: empty separator", args.callee());
  const std::size_t at = kFromRight ? text.rfind(separator) : find_text(text, separator);
  if (at == text.npos) {
    return kFromRight ? Value::tuple({"", "", Value(text)}) : Value::tuple({Value(text), "", ""});
  }
  return Value::tuple({Value(text.substr(0, at)), Value(separator), Value(text.substr(at + separator.size()))});
}

template <Side kFill>
Value justify(Runtime& runtime, const Value& self, const CallArguments& args) {
  const std::string fill = args.get(1) == nullptr ? " " : args.string(1);
  if (text_length(fill) != 1) fail("{}: the fill must be one character", args.callee());
  const std::string& text = receiver(runtime, self);
  const std::int64_t width = args.integer(0, 0);
  const std::int64_t missing = std::max<std::int64_t>(width - static_cast<std::int64_t>(text_length(text)), 0);
  // str.center puts the odd one on the left when the width is odd too.
  const std::int64_t left = kFill == Side::kBoth   ? missing / 2 + (missing & width & 1)
                            : kFill == Side::kLeft ? missing
                                                   : 0;
  TextBuilder out(runtime);
  for (std::int64_t i = 0; i < left; ++i) out.append(fill);
  out.append(text);
  for (std::int64_t i = left; i < missing; ++i) out.append(fill);
  return out.take();
}

Value zfill(Runtime& runtime, const Value& self, const CallArguments& args) {
  const std::string& text = receiver(runtime, self);
  const bool sign = !text.empty() && (text[0] == '-' || text[0] == '+');
  const std::int64_t missing = args.integer(0, 0) - static_cast<std::int64_t>(text_length(text));
  TextBuilder out(runtime);
  out.append(std::string_view(text).substr(0, sign));
  if (missing > 0) out.append(static_cast<std::size_t>(missing), '0');
  out.append(std::string_view(text).substr(sign));
  return out.take();
}

constexpr Function kStringMethods[] = {
    {"split", {"sep", "maxsplit"}, 0, split_method<split>},
    {"rsplit", {"sep", "maxsplit"}, 0, split_method<split_from_right>},
    {"splitlines", {"keepends"}, 0, splitlines},
    {"strip", {"chars"}, 0, strip_method<Side::kBoth>},
    {"lstrip", {"chars"}, 0, strip_method<Side::kLeft>},
    {"rstrip", {"chars"}, 0, strip_method<Side::kRight>},
    {"startswith", {"prefix", "start", "end"}, 1, affix_test<false>},
    {"endswith", {"suffix", "start", "end"}, 1, affix_test<true>},
    {"find", {"sub", "start", "end"}, 1, find_method<false, false>},
    {"rfind", {"sub", "start", "end"}, 1, find_method<true, false>},
    {"index", {"sub", "start", "end"}, 1, find_method<false, true>},
    {"rindex", {"sub", "start", "end"}, 1, find_method<true, true>},
    {"count", {"sub", "start", "end"}, 1, count_text},
    {"replace", {"old", "new", "count"}, 2, replace},
    {"join", {"iterable"}, 1, join},
    {"upper", {}, 0, convert<uppercase>},
    {"lower", {}, 0, convert<lowercase>},
    {"title", {}, 0, convert<title>},
    {"capitalize", {}, 0, convert<capitalize>},
    {"isspace", {}, 0, all_are<is_space>},
    {"isalpha", {}, 0, all_are<is_alphabetic>},
    {"isdigit", {}, 0, all_are<is_digit>},
    {"isalnum", {}, 0, all_are<is_alphanumeric>},
    {"isupper", {}, 0, case_test<is_upper, is_lower>},
    {"islower", {}, 0, case_test<is_lower, is_upper>},
    {"removeprefix", {"prefix"}, 1, remove_affix<false>},
    {"removesuffix", {"suffix"}, 1, remove_affix<true>},
    {"partition", {"sep"}, 1, partition<false>},
    {"rpartition", {"sep"}, 1, partition<true>},
    {"ljust", {"width", "fillchar"}, 1, justify<Side::kRight>},
    {"rjust", {"width", "fillchar"}, 1, justify<Side::kLeft>},
    {"center", {"width", "fillchar"}, 1, justify<Side::kBoth>},
    {"zfill", {"width"}, 1, zfill},
    // Known to Python, so that `text.format is defined` is true, but not callable here.
    {"casefold", {}, 0, nullptr},
    {"encode", {}, 0, nullptr},
    {"expandtabs", {}, 0, nullptr},
    {"format", {}, 0, nullptr},
    {"format_map", {}, 0, nullptr},
    {"isascii", {}, 0, nullptr},
    {"isdecimal", {}, 0, nullptr},
    {"isidentifier", {}, 0, nullptr},
    {"isnumeric", {}, 0, nullptr},
    {"isprintable", {}, 0, nullptr},
    {"istitle", {}, 0, nullptr},
    {"maketrans", {}, 0, nullptr},
    {"swapcase", {}, 0, nullptr},
    {"translate", {}, 0, nullptr},
};

Value dict_get(Runtime& runtime, const Value& self, const CallArguments& args) {
  require_hashable(*args.get(0));
  runtime.spend(self.dict()->entries.size());
  if (const Value* found = self.dict()->find(*args.get(0))) return *found;
  return args.get(1) == nullptr ? Value() : *args.get(1);
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

Value itself(Runtime&, const Value& self, const CallArguments&) { return self; }

constexpr Function kDictMethods[] = {
    {"get", {"key", "default"}, 1, dict_get},
    {"items", {}, 0, dict_view<SequenceType::kItems>},
    {"keys", {}, 0, dict_view<SequenceType::kKeys>},
    {"values", {}, 0, dict_view<SequenceType::kValues>},
    {"copy", {}, 0, itself},
    {"fromkeys", {}, 0, nullptr},
};

Value sequence_count(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Values& items = self.sequence()->items;
  return static_cast<std::int64_t>(
      std::count_if(items.begin(), items.end(), [&](const Value& item) { return equal(runtime, item, *args.get(0)); }));
}

Value sequence_index(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Values& items = self.sequence()->items;
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const Value& item) { return equal(runtime, item, *args.get(0)); });
  if (found == items.end()) fail("index: the value is not in the {}", self.type_name());
  return static_cast<std::int64_t>(found - items.begin());
}

constexpr Function kSequenceMethods[] = {
    {"count", {"value"}, 1, sequence_count},
    {"index", {"value"}, 1, sequence_index},
    {"copy", {}, 0, itself},  // of lists only
};

template <std::size_t N>
const Function* find(const Function (&table)[N], std::string_view name) {
  const auto found =
      std::find_if(std::begin(table), std::end(table), [&](const Function& f) { return f.name == name; });
  return found == std::end(table) ? nullptr : found;
}

}  // namespace

const Function* find_string_method(std::string_view name) { return find(kStringMethods, name); }
const Function* find_dict_method(std::string_view name) { return find(kDictMethods, name); }

const Function* find_sequence_method(std::string_view name, SequenceType type) {
  if (type > SequenceType::kRange || (name == "copy" && type != SequenceType::kList)) return nullptr;
  return find(kSequenceMethods, name);
}

}  // namespace specthink::jinja
