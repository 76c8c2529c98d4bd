#include <algorithm>
#include <charconv>
#include <functional>

#include "jinja/builtins/function.h"
#include "jinja/format.h"
#include "jinja/operators.h"
#include "specthink/base/lowercase.h"
#include "specthink/base/python/text.h"
#include "specthink/jinja/error.h"

namespace specthink::jinja {
namespace {

Value default_filter(Runtime&, const Value& self, const Args& args) {
  const bool missing = self.is_undefined() || (args.flag(1) && !is_true(self));
  return missing ? args.get_or(0, "") : self;
}

Value tojson_filter(Runtime& runtime, const Value& self, const Args& args) {
  JsonStyle style;
  style.ensure_ascii = args.flag(0);
  if (args.has(1)) {
    style.indent = indentation_argument(runtime, args, 1, 0);
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
  style.sorts_keys = args.flag(3);
  return to_json(runtime, self, style);
}

Value length_filter(Runtime&, const Value& self, const Args&) { return length(self); }

Value first_filter(Runtime& runtime, const Value& self, const Args&) {
  if (const Sequence* generator = self.is_generator() ? self.sequence() : nullptr) {
    if (generator->read < generator->items.size()) return generator->items[generator->read++];
  } else if (const Values items = items_of(runtime, self); !items.empty()) {
    return items.front();
  }
  return Value::undefined("no first item, the sequence was empty");
}

Value last_filter(Runtime& runtime, const Value& self, const Args&) {
  if (self.is_generator()) fail("last: a generator cannot be read from its end; make it a list first (|list)");
  const Values items = items_of(runtime, self);
  return items.empty() ? Value::undefined("no last item, the sequence was empty") : items.back();
}

Value list_filter(Runtime& runtime, const Value& self, const Args&) { return Value::list(items_of(runtime, self)); }

Value generator(Values items) { return Value::sequence(SequenceType::kGenerator, std::move(items)); }

Value reverse_filter(Runtime& runtime, const Value& self, const Args&) {
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
    for (const std::string_view part : python::split(*path->string(), ".", -1)) {
      std::int64_t index = 0;
      const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), index);
      const bool is_index = error == std::errc() && end == part.data() + part.size() && !part.starts_with('-');
      parts.push_back(is_index ? Value(index) : Value(part));
    }
  } else {
    parts.push_back(*path);
  }
  return [&runtime, parts = std::move(parts)](Value value) {
    for (const Value& part : parts) value = item(runtime, value, part);
    return value;
  };
}

// As attribute_getter, for comparing: strings without their case unless the argument says otherwise. Several paths with
// commas between them give a tuple.
Getter key_getter(Runtime& runtime, const Value* path, bool case_sensitive) {
  std::vector<Getter> getters;
  if (path != nullptr && path->is_string()) {
    for (const Value part : python::split(*path->string(), ",", -1))
      getters.push_back(attribute_getter(runtime, &part));
  } else {
    getters.push_back(attribute_getter(runtime, path));
  }
  return [getters = std::move(getters), case_sensitive](const Value& value) {
    Values keys;
    for (const Getter& get : getters) {
      const Value key = get(value);
      keys.push_back(key.is_string() && !case_sensitive ? Value(lowercase(*key.string())) : key);
    }
    return keys.size() == 1 ? keys[0] : Value::tuple(std::move(keys));
  };
}

Value join_filter(Runtime& runtime, const Value& self, const Args& args) {
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

Value sort_filter(Runtime& runtime, const Value& self, const Args& args) {
  return sorted(runtime, items_of(runtime, self), key_getter(runtime, args.get(2), args.flag(1)), args.flag(0));
}

Values pairs(const Value& dict, std::string_view callee) {
  if (!dict.dict()) fail("{}: expected a mapping, not {}", callee, dict.type_name());
  Values items;
  for (const auto& [key, value] : dict.dict()->entries) items.push_back(Value::tuple({key, value}));
  return items;
}

Value dictsort_filter(Runtime& runtime, const Value& self, const Args& args) {
  self.require_defined();
  const std::string by = args.has(1) ? args.string(1) : "key";
  if (by != "key" && by != "value") fail("dictsort: you can only sort by either \"key\" or \"value\"");
  const Value part = std::int64_t{by == "value"};
  return sorted(runtime, pairs(self, args.callee()), key_getter(runtime, &part, args.flag(0)), args.flag(2));
}

Value items_filter(Runtime&, const Value& self, const Args& args) {
  return generator(self.is_undefined() ? Values() : pairs(self, args.callee()));
}

Value unique_filter(Runtime& runtime, const Value& self, const Args& args) {
  const Getter key = key_getter(runtime, args.get(1), args.flag(0));
  Values seen;
  Values result;
  for (const Value& item : items_of(runtime, self)) {
    Value its_key = key(item);
    require_hashable(its_key);
    if (std::ranges::any_of(seen, [&](const Value& other) { return equal(runtime, other, its_key); })) continue;
    seen.push_back(std::move(its_key));
    result.push_back(item);
  }
  return generator(std::move(result));
}

template <bool kMaximum>
Value extreme_filter(Runtime& runtime, const Value& self, const Args& args) {
  const Getter key = key_getter(runtime, args.get(1), args.flag(0));
  const Value ordered = sorted(runtime, items_of(runtime, self), key, kMaximum);
  if (!is_true(ordered)) return Value::undefined("no aggregated item, the sequence was empty");
  return ordered.sequence()->items.front();
}

// Calls the function that the positional argument at `position` names, with the arguments behind it.
Getter named_function(Runtime& runtime, const Args& args, std::size_t position, std::string_view kind,
                      const Function* (*find)(std::string_view)) {
  const Values& given = args.all().positional;
  const Value& name = given[position];
  if (!name.is_string()) fail("{}: expected the name of a {}, not {}", args.callee(), kind, name.type_name());
  const Function* function = find(*name.string());
  const std::string why = refusal(kind, *name.string(), function);
  if (!why.empty()) fail("{}: {}", args.callee(), why);
  Arguments behind{{given.begin() + static_cast<std::ptrdiff_t>(position) + 1, given.end()}, args.all().named};
  return [&runtime, function, behind = std::move(behind)](const Value& value) {
    return call_function(runtime, *function, value, behind);
  };
}

Getter mapping(Runtime& runtime, const Args& args) {
  const auto& [positional, named] = args.all();
  if (!positional.empty()) return named_function(runtime, args, 0, "filter", find_filter);
  for (const auto& [name, value] : named) {
    if (name != "default" && name != "attribute") fail("map: unexpected keyword argument '{}'", name);
  }
  const Value* path = find_variable(named, "attribute");
  const Value* otherwise = find_variable(named, "default");
  if (path == nullptr) fail("map needs the name of a filter, or attribute=");
  return [get = attribute_getter(runtime, path), otherwise](const Value& item) {
    Value value = get(item);
    return otherwise != nullptr && value.is_undefined() ? *otherwise : value;
  };
}

Value map_filter(Runtime& runtime, const Value& self, const Args& args) {
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
Value select_filter(Runtime& runtime, const Value& self, const Args& args) {
  if (!is_true(self)) return generator({});  // whatever the arguments are: the reference looks at them later
  const Values& given = args.all().positional;
  if (kByAttribute && given.empty()) fail("{} needs the name of an attribute", args.callee());
  const Getter get = attribute_getter(runtime, kByAttribute ? &given[0] : nullptr);
  const bool has_test = given.size() > kByAttribute;
  const Getter test = has_test ? named_function(runtime, args, kByAttribute, "test", find_test) : get;
  Values result;
  for (const Value& item : items_of(runtime, self)) {
    runtime.spend(sizeof(Value));
    if (is_true(has_test ? test(get(item)) : get(item)) == kKeep) result.push_back(item);
  }
  return generator(std::move(result));
}

Value sum_filter(Runtime& runtime, const Value& self, const Args& args) {
  const Getter get = attribute_getter(runtime, args.get(0));
  Value sum = args.get_or(1, std::int64_t{0});
  for (const Value& item : items_of(runtime, self)) sum = arithmetic(runtime, ArithmeticOp::kAdd, sum, get(item));
  return sum;
}

constexpr Function kFilters[] = {
    {"count", length_filter},
    {"d", default_filter, {"default_value", "boolean"}},
    {"default", default_filter, {"default_value", "boolean"}},
    {"dictsort", dictsort_filter, {"case_sensitive", "by", "reverse"}},
    {"first", first_filter},
    {"items", items_filter},
    {"join", join_filter, {"d", "attribute"}},
    {"last", last_filter},
    {"length", length_filter},
    {"list", list_filter},
    {"map", map_filter, {kAnyArguments}},
    {"max", extreme_filter<true>, {"case_sensitive", "attribute"}},
    {"min", extreme_filter<false>, {"case_sensitive", "attribute"}},
    {"reject", select_filter<false, false>, {kAnyArguments}},
    {"rejectattr", select_filter<false, true>, {kAnyArguments}},
    {"reverse", reverse_filter},
    {"select", select_filter<true, false>, {kAnyArguments}},
    {"selectattr", select_filter<true, true>, {kAnyArguments}},
    {"sort", sort_filter, {"reverse", "case_sensitive", "attribute"}},
    {"sum", sum_filter, {"attribute", "start"}},
    {"tojson", tojson_filter, {"ensure_ascii", "indent", "separators", "sort_keys"}},
    {"unique", unique_filter, {"case_sensitive", "attribute"}},
};
constexpr auto kUnsupportedFilters =
    unsupported("attr", "batch", "center", "filesizeformat", "groupby", "pprint", "random", "slice", "striptags",
                "truncate", "urlencode", "urlize", "wordcount", "wordwrap", "xmlattr");

}  // namespace

const Function* find_filter(std::string_view name) {
  return find_function({kFilters, scalar_filters(), kUnsupportedFilters}, name);
}

}  // namespace specthink::jinja
