// Attributes, items and slices: the part of the operators that reads out of values.
#include <algorithm>

#include "text/jinja_error.h"
#include "text/jinja_format.h"
#include "text/jinja_function.h"
#include "text/jinja_loop.h"
#include "text/jinja_operators.h"
#include "text/jinja_unicode.h"

namespace specthink::jinja {
namespace {

// As Jinja names it in "... has no attribute".
std::string described(const Value& value) {
  return value.is_none() ? "None" : fmt::format("{} object", value.type_name());
}

Value no_attribute(const Value& value, std::string_view name) {
  return Value::undefined(fmt::format("'{}' has no attribute '{}'", described(value), name));
}

// Methods that would change a value: the sandbox of the reference makes them undefined, even where a key has the name.
bool is_mutating_method(const Value& value, std::string_view name) {
  constexpr std::string_view kOfDict[] = {"clear", "pop", "popitem", "setdefault", "update"};
  constexpr std::string_view kOfList[] = {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"};
  if (value.dict()) return std::ranges::find(kOfDict, name) != std::end(kOfDict);
  return value.is_sequence(SequenceType::kList) && std::ranges::find(kOfList, name) != std::end(kOfList);
}

const Function* find_method(const Value& value, std::string_view name) {
  if (value.is_string()) return find_string_method(name);
  if (value.dict()) return find_dict_method(name);
  if (const Sequence* sequence = value.sequence()) return find_sequence_method(name, sequence->type);
  return nullptr;
}

// getattr(value, name); empty where Python raises AttributeError.
std::optional<Value> own_attribute(const Value& value, std::string_view name) {
  if (value.is_undefined()) fail("{}", value.undefined_reason());
  if (const Namespace* name_space = value.name_space()) {
    const Value* found = name_space->find(name);
    return found == nullptr ? std::nullopt : std::optional<Value>(*found);
  }
  if (Loop* loop = value.loop()) return name == "cycle" ? Value::method(value, loop_cycle()) : loop->attribute(name);
  if (is_mutating_method(value, name)) {
    return Value::undefined(fmt::format("access to attribute '{}' of '{}' object is unsafe", name, value.type_name()));
  }
  const Function* method = find_method(value, name);
  return method == nullptr ? std::nullopt : std::optional<Value>(Value::method(value, *method));
}

// value[key]; empty where Python raises a TypeError or LookupError.
std::optional<Value> own_item(Runtime& runtime, const Value& value, const Value& key) {
  if (value.is_undefined()) fail("{}", value.undefined_reason());
  if (const Dict* dict = value.dict()) {
    runtime.spend(dict->entries.size());
    const Value* found = dict->find(key);
    return found == nullptr ? std::nullopt : std::optional<Value>(*found);
  }
  const auto index = key.as_integer();
  if (!index) return std::nullopt;
  if (const std::string* text = value.string()) {
    runtime.spend(text->size());
    const auto count = static_cast<std::int64_t>(text_length(*text));
    const std::int64_t position = *index < 0 ? *index + count : *index;
    if (position < 0 || position >= count) return std::nullopt;
    const std::size_t start = byte_offset(*text, static_cast<std::size_t>(position));
    std::size_t end = start;
    next_code_point(*text, end);
    return Value(text->substr(start, end - start));
  }
  const Sequence* sequence = value.sequence();
  if (sequence == nullptr || sequence->type > SequenceType::kRange) return std::nullopt;  // views have no order
  const std::int64_t count = std::ssize(sequence->items);
  const std::int64_t position = *index < 0 ? *index + count : *index;
  if (position < 0 || position >= count) return std::nullopt;
  return sequence->items[static_cast<std::size_t>(position)];
}

struct SliceBounds {
  std::int64_t start;
  std::int64_t stop;
  std::int64_t step;
};

// slice.indices(count) of Python.
SliceBounds slice_bounds(const Value& start, const Value& stop, const Value& step, std::int64_t count) {
  const auto bound = [](const Value& value, std::int64_t otherwise) {
    if (value.is_none()) return otherwise;
    const auto integer = value.as_integer();
    if (!integer) fail("slice indices must be integers or None, not {}", value.type_name());
    return *integer;
  };
  SliceBounds bounds{0, 0, bound(step, 1)};
  if (bounds.step == 0) fail("slice step cannot be zero");
  const bool backwards = bounds.step < 0;
  const std::int64_t lowest = backwards ? -1 : 0;
  const std::int64_t highest = backwards ? count - 1 : count;
  const auto place = [&](const Value& value, std::int64_t otherwise) {
    if (value.is_none()) return otherwise;
    const std::int64_t position = bound(value, 0);
    if (position < 0) return position < -count ? lowest : std::max(position + count, lowest);
    return std::min(position, highest);
  };
  bounds.start = place(start, backwards ? highest : lowest);
  bounds.stop = place(stop, backwards ? lowest : highest);
  return bounds;
}

template <typename Container>
Container take(const Container& from, const SliceBounds& bounds) {
  Container result;
  std::int64_t i = bounds.start;
  while (bounds.step > 0 ? i < bounds.stop : i > bounds.stop) {
    result.push_back(from[static_cast<std::size_t>(i)]);
    if (__builtin_add_overflow(i, bounds.step, &i)) break;
  }
  return result;
}

}  // namespace

Value attribute(Runtime& runtime, const Value& value, std::string_view name) {
  if (auto found = own_attribute(value, name)) return *found;
  if (auto found = own_item(runtime, value, Value(name))) return *found;
  return no_attribute(value, name);
}

Value item(Runtime& runtime, const Value& value, const Value& key) {
  if (auto found = own_item(runtime, value, key)) return *found;
  if (!key.is_string()) {
    return Value::undefined(fmt::format("{} has no element {}", described(value), to_repr(runtime, key)));
  }
  if (auto found = own_attribute(value, *key.string())) return *found;
  return no_attribute(value, *key.string());
}

Value slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop, const Value& step) {
  if (value.is_undefined()) fail("{}", value.undefined_reason());
  if (const std::string* text = value.string()) {
    runtime.spend(text->size());
    const SliceBounds bounds = slice_bounds(start, stop, step, static_cast<std::int64_t>(text_length(*text)));
    if (bounds.step != 1) return runtime.text(to_utf8(take(code_points(*text), bounds)));
    const std::size_t first = byte_offset(*text, static_cast<std::size_t>(bounds.start));
    const std::size_t last = byte_offset(*text, static_cast<std::size_t>(std::max(bounds.start, bounds.stop)));
    return runtime.text(text->substr(first, last - first));
  }
  const Sequence* sequence = value.sequence();
  if (sequence == nullptr || sequence->type > SequenceType::kRange) {
    fail("'{}' object cannot be sliced", value.type_name());
  }
  const SliceBounds bounds = slice_bounds(start, stop, step, std::ssize(sequence->items));
  Values items = take(sequence->items, bounds);
  runtime.spend(items.size() * sizeof(Value));
  return Value::sequence(sequence->type, std::move(items));
}

}  // namespace specthink::jinja
