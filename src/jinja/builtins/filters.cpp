#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <functional>

#include "jinja/builtins/function.h"
#include "jinja/format.h"
#include "jinja/operators.h"
#include "jinja/unicode.h"
#include "specthink/base/lowercase.h"
#include "specthink/jinja/error.h"

namespace specthink::jinja {
namespace {

template <std::string (*kConvert)(std::string_view)>
Value convert(Runtime& runtime, const Value& self, const CallArguments&) {
  return runtime.text(kConvert(to_text(runtime, self)));
}

Value default_filter(Runtime&, const Value& self, const CallArguments& args) {
  const bool missing = self.is_undefined() || (args.flag(1) && !is_true(self));
  return missing ? args.get_or(0, "") : self;
}

Value string_filter(Runtime& runtime, const Value& self, const CallArguments&) {
  return runtime.text(to_text(runtime, self));
}

// These are methods of str too; the filters take any value as text.
Value trim_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Value text = to_text(runtime, self);
  return call_function(runtime, *find_method(text, "strip"), text, args.all());
}

Value replace_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Value text = to_text(runtime, self);
  const Value count = args.has(2) ? *args.get(2) : Value(std::int64_t{-1});
  const Values given{to_text(runtime, *args.get(0)), to_text(runtime, *args.get(1)), count};
  return call_function(runtime, *find_method(text, "replace"), text, {given, {}});
}

// A parameter that is a text or a number of spaces.
std::string indentation(Runtime& runtime, const CallArguments& args, std::size_t parameter, std::int64_t otherwise) {
  const Value* given = args.get(parameter);
  if (given != nullptr && given->is_string()) return *given->string();
  const auto spaces = static_cast<std::size_t>(std::max<std::int64_t>(args.integer(parameter, otherwise), 0));
  runtime.check_text_size(spaces);
  return std::string(spaces, ' ');
}

Value indent_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  if (!self.is_string()) fail("indent: expected a str, not {}", self.type_name());
  const std::string before = indentation(runtime, args, 0, 4);
  const std::string text = *self.string() + "\n";  // so that a last line break begins an empty line
  runtime.check_text_size(text.size());
  TextBuilder out(runtime);
  bool is_first = true;
  for (const std::string_view line : split_lines(text)) {
    if (!is_first) out.append("\n");
    if (is_first ? args.flag(1) : args.flag(2) || !line.empty()) out.append(before);
    out.append(line);
    is_first = false;
  }
  return out.take();
}

// int(value) of Python, in a 64-bit integer; empty for what is no finite number.
std::optional<std::int64_t> to_integer(const Value& value) {
  if (const auto integer = value.as_integer()) return integer;
  if (!value.real() && !value.string()) return std::nullopt;
  double number = value.real() ? *value.real() : 0;
  if (const std::string* string = value.string()) {
    const std::string text(strip(*string, Side::kBoth));
    if (text.find('_') != text.npos) fail("int: '_' in a number is not supported");
    char* end = nullptr;
    errno = 0;
    const std::int64_t integer = std::strtoll(text.c_str(), &end, 10);
    if (!text.empty() && *end == '\0' && errno == 0) return integer;
    if (text.find_first_not_of("0123456789.eE+-") != text.npos) return std::nullopt;  // strtod reads more than Python
    number = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0') return std::nullopt;
  }
  if (!std::isfinite(number)) return std::nullopt;
  if (std::abs(number) >= 9223372036854775808.0) fail("int: {} is too large for a 64-bit integer", number);
  return static_cast<std::int64_t>(number);
}

Value int_filter(Runtime&, const Value& self, const CallArguments& args) {
  self.require_defined();
  const auto integer = to_integer(self);
  return integer ? Value(*integer) : args.get_or(0, std::int64_t{0});
}

Value tojson_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  JsonStyle style;
  style.ensure_ascii = args.flag(0);
  if (args.has(1)) {
    style.indent = indentation(runtime, args, 1, 0);
    style.item_separator = ",";
  }
  if (args.has(2)) {
    const Values parts = items_of(runtime, *args.get(2));
    if (parts.size() != 2 || !parts[0].is_string() || !parts[1].is_string()) {
      fail("tojson: separators must be two strings");
    }
    style.item_separator = *parts[0].string();
    style.key_separator = *parts[1].string();
  }
  return to_json(runtime, self, style);
}

Value length_filter(Runtime&, const Value& self, const CallArguments&) { return length(self); }

Value first_filter(Runtime& runtime, const Value& self, const CallArguments&) {
  if (const Sequence* generator = self.is_generator() ? self.sequence() : nullptr) {
    if (generator->read < generator->items.size()) return generator->items[generator->read++];
  } else if (const Values items = items_of(runtime, self); !items.empty()) {
    return items.front();
  }
  return Value::undefined("no first item, the sequence was empty");
}

Value last_filter(Runtime& runtime, const Value& self, const CallArguments&) {
  if (self.is_generator()) fail("last: a generator cannot be read from its end; make it a list first (|list)");
  const Values items = items_of(runtime, self);
  return items.empty() ? Value::undefined("no last item, the sequence was empty") : items.back();
}

Value list_filter(Runtime& runtime, const Value& self, const CallArguments&) {
  return Value::list(items_of(runtime, self));
}

Value generator(Values items) { return Value::sequence(SequenceType::kGenerator, std::move(items)); }

Value reverse_filter(Runtime& runtime, const Value& self, const CallArguments&) {
  if (self.is_string()) return slice(runtime, self, Value(), Value(), std::int64_t{-1});
  Values items = items_of(runtime, self);
  std::ranges::reverse(items);
  return self.is_generator() ? Value::list(std::move(items)) : generator(std::move(items));
}

using Getter = std::function<Value(const Value&)>;

// Reads an attribute by a path such as "function.name"; None is the item itself.
Getter attribute_getter(Runtime& runtime, const Value* path) {
  if (path == nullptr || path->is_none()) return [](const Value& value) { return value; };
  Values parts;
  if (path->is_string()) {
    for (const std::string_view part : split(*path->string(), ".", -1)) {
      if (part.find_first_not_of("0123456789") == part.npos)
        fail("the number '{}' in an attribute is not supported", part);
      parts.emplace_back(part);
    }
  } else {
    parts.push_back(*path);
  }
  return [&runtime, parts = std::move(parts)](Value value) {
    for (const Value& part : parts) value = item(runtime, value, part);
    return value;
  };
}

// As attribute_getter, for comparing: strings without their case unless the argument says otherwise.
Getter key_getter(Runtime& runtime, const Value* path, bool case_sensitive) {
  if (path != nullptr && path->is_string() && path->string()->find(',') != path->string()->npos) {
    fail("sorting by several attributes is not supported");
  }
  return [get = attribute_getter(runtime, path), case_sensitive](const Value& value) {
    Value key = get(value);
    return key.is_string() && !case_sensitive ? Value(lowercase(*key.string())) : key;
  };
}

Value join_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Getter get = attribute_getter(runtime, args.get(1));
  const std::string separator = to_text(runtime, args.get_or(0, ""));
  TextBuilder out(runtime);
  bool is_first = true;
  for (const Value& item : items_of(runtime, self)) {
    if (!is_first) out.append(separator);
    out.append(to_text(runtime, get(item)));
    is_first = false;
  }
  return out.take();
}

// sorted(): stable, also when reversed. Equal items need no order, such as None.
Value sorted(Runtime& runtime, const Values& items, const Getter& key, bool reverse) {
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : items) keyed.emplace_back(key(item), item);
  runtime.spend(items.size() * sizeof(Value));
  std::ranges::stable_sort(keyed, [&](const auto& a, const auto& b) {
    const Value &x = reverse ? b.first : a.first, &y = reverse ? a.first : b.first;
    return !equal(runtime, x, y) && holds(runtime, CompareOp::kLess, x, y);
  });
  Values result;
  for (const auto& entry : keyed) result.push_back(entry.second);
  return Value::list(std::move(result));
}

Value sort_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  return sorted(runtime, items_of(runtime, self), key_getter(runtime, args.get(2), args.flag(1)), args.flag(0));
}

Values pairs(const Value& dict, std::string_view callee) {
  if (!dict.dict()) fail("{}: expected a mapping, not {}", callee, dict.type_name());
  Values items;
  for (const auto& [key, value] : dict.dict()->entries) items.push_back(Value::tuple({key, value}));
  return items;
}

Value dictsort_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  self.require_defined();
  const Value first_of_pair = std::int64_t{0};
  return sorted(runtime, pairs(self, args.callee()), key_getter(runtime, &first_of_pair, false), false);
}

Value items_filter(Runtime&, const Value& self, const CallArguments& args) {
  return generator(self.is_undefined() ? Values() : pairs(self, args.callee()));
}

Value unique_filter(Runtime& runtime, const Value& self, const CallArguments&) {
  const Getter key = key_getter(runtime, nullptr, false);
  Values seen;
  Values result;
  for (const Value& item : items_of(runtime, self)) {
    Value its_key = key(item);
    if (std::ranges::any_of(seen, [&](const Value& other) { return equal(runtime, other, its_key); })) continue;
    seen.push_back(std::move(its_key));
    result.push_back(item);
  }
  return generator(std::move(result));
}

template <bool kMaximum>
Value extreme_filter(Runtime& runtime, const Value& self, const CallArguments&) {
  const Value ordered = sorted(runtime, items_of(runtime, self), key_getter(runtime, nullptr, false), kMaximum);
  if (!is_true(ordered)) return Value::undefined("no aggregated item, the sequence was empty");
  return ordered.sequence()->items.front();
}

// The function that the positional argument at `position` names, with the arguments behind it.
struct Callee {
  const Function* function;
  Arguments arguments;
};

Callee named_function(const CallArguments& args, std::size_t position, std::string_view kind,
                      const Function* (*find)(std::string_view)) {
  const Value& name = args.all().positional[position];
  if (!name.is_string()) fail("{}: expected the name of a {}, not {}", args.callee(), kind, name.type_name());
  Callee callee{find(*name.string()), args.all()};
  const std::string why = refusal(kind, *name.string(), callee.function);
  if (!why.empty()) fail("{}: {}", args.callee(), why);
  Values& rest = callee.arguments.positional;
  rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(position) + 1);
  return callee;
}

Getter mapping(Runtime& runtime, const CallArguments& args) {
  if (!args.all().positional.empty()) {
    return [&runtime, callee = named_function(args, 0, "filter", find_filter)](const Value& item) {
      return call_function(runtime, *callee.function, item, callee.arguments);
    };
  }
  const Value* path = nullptr;
  for (const auto& [name, value] : args.all().named) {
    if (name == "default") fail("the parameter 'default' of 'map' is not supported");
    if (name != "attribute") fail("map: unexpected keyword argument '{}'", name);
    path = &value;
  }
  if (path != nullptr) return attribute_getter(runtime, path);
  fail("map needs the name of a filter, or attribute=");
}

Value map_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  if (!is_true(self)) return generator({});  // None and other false values have no items here
  Values items = items_of(runtime, self);
  const Getter get = mapping(runtime, args);
  for (Value& item : items) {
    runtime.spend(sizeof(Value));
    item = get(item);
  }
  return generator(std::move(items));
}

template <bool kKeep, bool kByAttribute>
Value select_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  if (!is_true(self)) return generator({});  // whatever the arguments are: the reference looks at them later
  const Values& given = args.all().positional;
  if (kByAttribute && given.empty()) fail("{} needs the name of an attribute", args.callee());
  const Getter get = attribute_getter(runtime, kByAttribute ? &given[0] : nullptr);
  std::optional<Callee> test;
  if (given.size() > kByAttribute) test = named_function(args, kByAttribute, "test", find_test);
  Values result;
  for (const Value& item : items_of(runtime, self)) {
    runtime.spend(sizeof(Value));
    const Value value = get(item);
    if (is_true(test ? call_function(runtime, *test->function, value, test->arguments) : value) == kKeep) {
      result.push_back(item);
    }
  }
  return generator(std::move(result));
}

constexpr Function kFilters[] = {
    {"capitalize", {}, 0, convert<capitalize>},
    {"count", {}, 0, length_filter},
    {"d", {"default_value", "boolean"}, 0, default_filter},
    {"default", {"default_value", "boolean"}, 0, default_filter},
    {"dictsort", {"!case_sensitive", "!by", "!reverse"}, 0, dictsort_filter},
    {"first", {}, 0, first_filter},
    {"indent", {"width", "first", "blank"}, 0, indent_filter},
    {"int", {"default", "!base"}, 0, int_filter},
    {"items", {}, 0, items_filter},
    {"join", {"d", "attribute"}, 0, join_filter},
    {"last", {}, 0, last_filter},
    {"length", {}, 0, length_filter},
    {"list", {}, 0, list_filter},
    {"lower", {}, 0, convert<lowercase>},
    {"map", {kAnyArguments}, 0, map_filter},
    {"max", {"!case_sensitive", "!attribute"}, 0, extreme_filter<true>},
    {"min", {"!case_sensitive", "!attribute"}, 0, extreme_filter<false>},
    {"reject", {kAnyArguments}, 0, select_filter<false, false>},
    {"rejectattr", {kAnyArguments}, 0, select_filter<false, true>},
    {"replace", {"old", "new", "count"}, 2, replace_filter},
    {"reverse", {}, 0, reverse_filter},
    {"safe", {}, 0, string_filter},  // nothing is ever escaped
    {"select", {kAnyArguments}, 0, select_filter<true, false>},
    {"selectattr", {kAnyArguments}, 0, select_filter<true, true>},
    {"sort", {"reverse", "case_sensitive", "attribute"}, 0, sort_filter},
    {"string", {}, 0, string_filter},
    {"title", {}, 0, convert<title_of_words>},
    {"tojson", {"ensure_ascii", "indent", "separators", "!sort_keys"}, 0, tojson_filter},
    {"trim", {"chars"}, 0, trim_filter},
    {"unique", {"!case_sensitive", "!attribute"}, 0, unique_filter},
    {"upper", {}, 0, convert<uppercase>},
};
constexpr auto kUnsupportedFilters =
    unsupported("abs", "attr", "batch", "center", "e", "escape", "filesizeformat", "float", "forceescape", "format",
                "groupby", "pprint", "random", "round", "slice", "striptags", "sum", "truncate", "urlencode", "urlize",
                "wordcount", "wordwrap", "xmlattr");

}  // namespace

const Function* find_filter(std::string_view name) { return find_function({kFilters, kUnsupportedFilters}, name); }

}  // namespace specthink::jinja
