// Filters on sequences and dicts.
#include <algorithm>
#include <functional>

#include "specthink/base/lowercase.h"
#include "text/jinja_error.h"
#include "text/jinja_filters.h"
#include "text/jinja_format.h"
#include "text/jinja_operators.h"
#include "text/jinja_unicode.h"

namespace specthink::jinja {
namespace {

using Getter = std::function<Value(const Value&)>;

Value ignore_case(const Value& value) { return value.is_string() ? Value(lowercase(*value.string())) : value; }

// Reads an attribute by a path such as "function.name" or "0.id"; None is the item itself.
Getter attribute_getter(Runtime& runtime, const Value* path) {
  if (path == nullptr || path->is_none()) return [](const Value& value) { return value; };
  Values parts;
  if (path->is_string()) {
    for (const std::string_view part : split(*path->string(), ".", -1)) {
      const bool number = !part.empty() && part.size() < 18 && part.find_first_not_of("0123456789") == part.npos;
      parts.push_back(number ? Value(std::int64_t{std::stoll(std::string(part))}) : Value(part));
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
  Getter get = attribute_getter(runtime, path);
  if (case_sensitive) return get;
  return [get = std::move(get)](const Value& value) { return ignore_case(get(value)); };
}

// sorted(): stable, also when reversed.
Values sorted(Runtime& runtime, Values items, const Getter& key, bool reverse) {
  std::vector<std::pair<Value, Value>> keyed;
  for (Value& item : items) {
    Value its_key = key(item);
    keyed.emplace_back(std::move(its_key), std::move(item));
  }
  runtime.spend(keyed.size() * sizeof(Value));
  if (reverse) std::reverse(keyed.begin(), keyed.end());
  std::stable_sort(keyed.begin(), keyed.end(),
                   [&](const auto& a, const auto& b) { return compare(runtime, a.first, b.first) < 0; });
  if (reverse) std::reverse(keyed.begin(), keyed.end());
  std::transform(keyed.begin(), keyed.end(), items.begin(), [](auto& pair) { return std::move(pair.second); });
  return items;
}

Value length_filter(Runtime&, const Value& self, const CallArguments&) { return length(self); }

Value first_filter(Runtime& runtime, const Value& self, const CallArguments&) {
  if (Iterator* iterator = self.iterator()) {
    if (iterator->next < iterator->items.size()) return iterator->items[iterator->next++];
  } else if (const Values items = items_of(runtime, self); !items.empty()) {
    return items.front();
  }
  return Value::undefined("no first item, the sequence was empty");
}

Value last_filter(Runtime& runtime, const Value& self, const CallArguments&) {
  if (self.iterator()) fail("last: a generator cannot be read from its end; make it a list first (|list)");
  const Values items = items_of(runtime, self);
  return items.empty() ? Value::undefined("no last item, the sequence was empty") : items.back();
}

Value list_filter(Runtime& runtime, const Value& self, const CallArguments&) {
  return Value::list(items_of(runtime, self));
}

Value join_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Getter get = attribute_getter(runtime, args.get(1));
  const std::string separator = args.get(0) == nullptr ? "" : to_text(runtime, *args.get(0));
  TextBuilder out(runtime);
  bool first = true;
  for (const Value& item : items_of(runtime, self)) {
    if (!first) out.append(separator);
    out.append(to_text(runtime, get(item)));
    first = false;
  }
  return out.take();
}

Value reverse_filter(Runtime& runtime, const Value& self, const CallArguments&) {
  if (const std::string* text = self.string()) {
    std::u32string codes = code_points(*text);
    std::reverse(codes.begin(), codes.end());
    return runtime.text(to_utf8(codes));
  }
  Values items = items_of(runtime, self);
  std::reverse(items.begin(), items.end());
  return self.iterator() ? Value::list(std::move(items)) : Value::iterator(std::move(items));
}

Value sort_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Value* path = args.get(2);
  Values paths;
  if (path != nullptr && path->is_string()) {
    for (const std::string_view part : split(*path->string(), ",", -1)) paths.emplace_back(part);
  } else {
    paths.push_back(path == nullptr ? Value() : *path);
  }
  std::vector<Getter> getters;
  for (const Value& one : paths) getters.push_back(key_getter(runtime, &one, args.flag(1)));
  // A tuple even of one: its comparison accepts equal items that have no order, such as None.
  const Getter key = [&](const Value& value) {
    Values parts;
    for (const Getter& get : getters) parts.push_back(get(value));
    return Value::tuple(std::move(parts));
  };
  return Value::list(sorted(runtime, items_of(runtime, self), key, args.flag(0)));
}

Value dictsort_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  if (self.is_undefined()) fail("{}", self.undefined_reason());
  if (!self.dict()) fail("dictsort: expected a dict, not {}", self.type_name());
  const std::string by = args.get(1) == nullptr ? "key" : args.string(1);
  if (by != "key" && by != "value") fail("dictsort: can only sort by either \"key\" or \"value\"");
  Values items;
  for (const auto& [key, value] : self.dict()->entries) items.push_back(Value::tuple({key, value}));
  const bool case_sensitive = args.flag(0);
  const std::size_t position = by == "key" ? 0 : 1;
  const Getter key = [&](const Value& pair) {
    const Value& part = pair.sequence()->items[position];
    return case_sensitive ? part : ignore_case(part);
  };
  return Value::list(sorted(runtime, std::move(items), key, args.flag(2)));
}

Value items_filter(Runtime&, const Value& self, const CallArguments&) {
  Values items;
  if (const Dict* dict = self.dict()) {
    for (const auto& [key, value] : dict->entries) items.push_back(Value::tuple({key, value}));
  } else if (!self.is_undefined()) {
    fail("items: can only get item pairs from a mapping, not from {}", self.type_name());
  }
  return Value::iterator(std::move(items));
}

Value unique_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Getter key = key_getter(runtime, args.get(1), args.flag(0));
  Values seen;
  Values result;
  for (const Value& item : items_of(runtime, self)) {
    Value its_key = key(item);
    if (std::any_of(seen.begin(), seen.end(), [&](const Value& other) { return equal(runtime, other, its_key); }))
      continue;
    seen.push_back(std::move(its_key));
    result.push_back(item);
  }
  return Value::iterator(std::move(result));
}

template <bool kMaximum>
Value extreme_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Getter key = key_getter(runtime, args.get(1), args.flag(0));
  std::optional<std::pair<Value, Value>> best;
  for (const Value& item : items_of(runtime, self)) {
    Value its_key = key(item);
    if (!best || (kMaximum ? compare(runtime, its_key, best->first) > 0 : compare(runtime, its_key, best->first) < 0)) {
      best.emplace(std::move(its_key), item);
    }
  }
  return best ? best->second : Value::undefined("no aggregated item, the sequence was empty");
}

Value sum_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Getter get = attribute_getter(runtime, args.get(0));
  Value total = args.get(1) == nullptr ? Value(std::int64_t{0}) : *args.get(1);
  if (total.is_string()) fail("sum: strings cannot be summed; use join");
  for (const Value& item : items_of(runtime, self)) total = arithmetic(runtime, ArithmeticOp::kAdd, total, get(item));
  return total;
}

Arguments without_first(const Arguments& arguments, std::size_t count) {
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin(), rest.positional.begin() + static_cast<std::ptrdiff_t>(count));
  return rest;
}

const std::string& function_name(const CallArguments& args, std::size_t position) {
  const Value& name = args.all().positional[position];
  if (!name.is_string()) fail("{}: expected the name of a filter or test, not {}", args.callee(), name.type_name());
  return *name.string();
}

Value map_attribute(Runtime& runtime, const Values& items, const CallArguments& args) {
  const Value* path = nullptr;
  const Value* otherwise = nullptr;
  for (const auto& [name, value] : args.all().named) {
    if (name == "attribute") {
      path = &value;
    } else if (name == "default") {
      otherwise = &value;
    } else {
      fail("map: unexpected keyword argument '{}'", name);
    }
  }
  if (path == nullptr) fail("map needs the name of a filter, or attribute=");
  const Getter get = attribute_getter(runtime, path);
  Values result;
  for (const Value& item : items) {
    Value value = get(item);
    const bool use_default = value.is_undefined() && otherwise != nullptr && !otherwise->is_none();
    result.push_back(use_default ? *otherwise : std::move(value));
  }
  return Value::iterator(std::move(result));
}

Value map_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Values items = items_of(runtime, self);
  if (args.all().positional.empty()) return map_attribute(runtime, items, args);
  const std::string& name = function_name(args, 0);
  const Function* filter = find_filter(name);
  if (filter == nullptr) fail("map: no filter named '{}'", name);
  const Arguments rest = without_first(args.all(), 1);
  Values result;
  for (const Value& item : items) {
    runtime.spend(sizeof(Value));
    result.push_back(call_function(runtime, *filter, item, rest));
  }
  return Value::iterator(std::move(result));
}

template <bool kKeep, bool kByAttribute>
Value select_filter(Runtime& runtime, const Value& self, const CallArguments& args) {
  const Values& given = args.all().positional;
  if (kByAttribute && given.empty()) fail("{} needs the name of an attribute", args.callee());
  const Getter get = attribute_getter(runtime, kByAttribute ? &given[0] : nullptr);
  const std::size_t test_position = kByAttribute ? 1 : 0;
  const Function* test = nullptr;
  Arguments rest;
  if (given.size() > test_position) {
    const std::string& name = function_name(args, test_position);
    test = find_test(name);
    if (test == nullptr) fail("{}: no test named '{}'", args.callee(), name);
    rest = without_first(args.all(), test_position + 1);
  }
  Values result;
  for (const Value& item : items_of(runtime, self)) {
    runtime.spend(sizeof(Value));
    const Value value = get(item);
    const bool holds = test == nullptr ? is_true(value) : is_true(call_function(runtime, *test, value, rest));
    if (holds == kKeep) result.push_back(item);
  }
  return Value::iterator(std::move(result));
}

constexpr Function kFilters[] = {
    {"count", {}, 0, length_filter},
    {"dictsort", {"case_sensitive", "by", "reverse"}, 0, dictsort_filter},
    {"first", {}, 0, first_filter},
    {"items", {}, 0, items_filter},
    {"join", {"d", "attribute"}, 0, join_filter},
    {"last", {}, 0, last_filter},
    {"length", {}, 0, length_filter},
    {"list", {}, 0, list_filter},
    {"map", {kAnyArguments}, 0, map_filter},
    {"max", {"case_sensitive", "attribute"}, 0, extreme_filter<true>},
    {"min", {"case_sensitive", "attribute"}, 0, extreme_filter<false>},
    {"reject", {kAnyArguments}, 0, select_filter<false, false>},
    {"rejectattr", {kAnyArguments}, 0, select_filter<false, true>},
    {"reverse", {}, 0, reverse_filter},
    {"select", {kAnyArguments}, 0, select_filter<true, false>},
    {"selectattr", {kAnyArguments}, 0, select_filter<true, true>},
    {"sort", {"reverse", "case_sensitive", "attribute"}, 0, sort_filter},
    {"sum", {"attribute", "start"}, 0, sum_filter},
    {"unique", {"case_sensitive", "attribute"}, 0, unique_filter},
};

}  // namespace

const Function* find_sequence_filter(std::string_view name) {
  const auto found =
      std::find_if(std::begin(kFilters), std::end(kFilters), [&](const Function& f) { return f.name == name; });
  return found == std::end(kFilters) ? nullptr : found;
}

}  // namespace specthink::jinja
