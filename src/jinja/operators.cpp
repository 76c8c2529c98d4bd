#include "jinja/operators.h"

#include <algorithm>
#include <compare>
#include <optional>

#include "jinja/builtins/function.h"
#include "jinja/format.h"
#include "jinja/scope.h"
#include "specthink/base/python/slice.h"
#include "specthink/base/python/text.h"
#include "specthink/base/utf8.h"
#include "specthink/jinja/error.h"

namespace specthink::jinja {
namespace {

constexpr std::size_t kWorkPerComparison = 8;

// How two numbers or two strings are ordered; empty for other values.
std::optional<std::partial_ordering> order_of_scalars(Runtime& runtime, const Value& a, const Value& b) {
  runtime.spend(kWorkPerComparison);
  if (const auto i = a.as_integer(), j = b.as_integer(); i && j) return *i <=> *j;
  if (const auto x = a.as_number(), y = b.as_number(); x && y) return *x <=> *y;
  if (!a.string() || !b.string()) return std::nullopt;
  runtime.spend(std::min(a.string()->size(), b.string()->size()));
  return *a.string() <=> *b.string();  // bytes of UTF-8 have the order of code points
}

std::partial_ordering compare(Runtime& runtime, const Value& a, const Value& b) {
  a.require_defined();
  b.require_defined();
  if (const auto order = order_of_scalars(runtime, a, b)) return *order;
  if (a.is_list_or_tuple() && b.is_sequence(a.sequence()->type)) {
    const Values& x = a.sequence()->items;
    const Values& y = b.sequence()->items;
    for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
      if (!equal(runtime, x[i], y[i])) return compare(runtime, x[i], y[i]);
    }
    return x.size() <=> y.size();
  }
  fail("'<' not supported between instances of '{}' and '{}'", a.type_name(), b.type_name());
}

// `item in container`.
bool contains(Runtime& runtime, const Value& container, const Value& item) {
  if (const std::string* text = container.string()) {
    if (!item.is_string()) fail("'in <string>' requires string as left operand, not {}", item.type_name());
    runtime.spend(text->size());
    return python::find_text(*text, *item.string()) != std::string::npos;
  }
  if (const Dict* dict = container.dict()) {
    require_hashable(item);
    runtime.spend(dict->entries.size());
    return dict->find(item) != nullptr;
  }
  return std::ranges::any_of(items_of(runtime, container),
                             [&](const Value& other) { return equal(runtime, other, item); });
}

python::Number number_of(const Value& value) {
  if (const auto integer = value.as_integer()) return *integer;
  return *value.as_number();
}

Value repeat(Runtime& runtime, const Value& value, std::int64_t times) {
  const std::string* text = value.string();
  const std::size_t size = text != nullptr ? text->size() : value.sequence()->items.size();
  std::size_t total = 0;
  if (__builtin_mul_overflow(size, std::max<std::int64_t>(times, 0), &total)) total = kMaxWork;
  if (text != nullptr) {
    runtime.check_text_size(total);
    std::string result;
    while (result.size() < total) result += *text;
    return result;
  }
  runtime.spend(std::min(total, kMaxWork) * sizeof(Value));
  const Values& once = value.sequence()->items;
  Values items;
  while (items.size() < total) items.insert(items.end(), once.begin(), once.end());
  return Value::sequence(value.sequence()->type, std::move(items));
}

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

// getattr(value, name); empty where Python raises AttributeError.
std::optional<Value> own_attribute(const Value& value, std::string_view name) {
  value.require_defined();
  if (const Namespace* name_space = value.name_space()) {
    const Value* found = find_variable(name_space->attributes, name);
    return found == nullptr ? std::nullopt : std::optional<Value>(*found);
  }
  if (Loop* loop = value.loop()) return loop->attribute(name);
  if (value.macro() && name == "name") return value.macro()->definition->name;
  if (is_mutating_method(value, name)) {
    return Value::undefined(fmt::format("access to attribute '{}' of '{}' object is unsafe", name, value.type_name()));
  }
  const Function* method = find_method(value, name);
  return method == nullptr ? std::nullopt : std::optional<Value>(Value::method(value, *method));
}

// value[key]; empty where Python raises a TypeError or LookupError.
std::optional<Value> own_item(Runtime& runtime, const Value& value, const Value& key) {
  value.require_defined();
  if (const Dict* dict = value.dict()) {
    runtime.spend(dict->entries.size());
    const Value* found = dict->find(key);
    return found == nullptr ? std::nullopt : std::optional<Value>(*found);
  }
  const auto index = key.as_integer();
  if (!index || !value.is_indexable()) return std::nullopt;
  const std::int64_t count = length(value);
  const std::int64_t position = *index < 0 ? *index + count : *index;
  if (position < 0 || position >= count) return std::nullopt;
  const auto place = static_cast<std::size_t>(position);
  if (const Sequence* sequence = value.sequence()) return sequence->items[place];
  runtime.spend(value.string()->size());
  return Value(to_utf8(code_points(*value.string()).substr(place, 1)));
}

std::optional<std::int64_t> slice_index(const Value& value) {
  const auto index = value.as_integer();
  if (!index && !value.is_none()) fail("slice indices must be integers or None, not {}", value.type_name());
  return index;
}

}  // namespace

void require_hashable(const Value& key) {
  if (key.dict() || key.is_sequence(SequenceType::kList)) fail("unhashable type: '{}'", key.type_name());
}

bool is_true(const Value& value) {
  if (value.is_none() || value.is_undefined()) return false;
  if (const auto number = value.as_number()) return *number != 0;
  if (const std::string* text = value.string()) return !text->empty();
  if (const Sequence* sequence = value.sequence()) return value.is_generator() || !sequence->items.empty();
  if (const Dict* dict = value.dict()) return !dict->entries.empty();
  return true;
}

bool equal(Runtime& runtime, const Value& a, const Value& b) {
  if (const auto order = order_of_scalars(runtime, a, b)) return *order == 0;
  if (a.sequence() && b.is_sequence(a.sequence()->type) && !a.is_generator()) {
    const auto same = [&](const Value& x, const Value& y) { return equal(runtime, x, y); };
    return std::ranges::equal(a.sequence()->items, b.sequence()->items, same);
  }
  if (!a.dict() || !b.dict()) return a.same_as(b);
  if (a.dict()->entries.size() != b.dict()->entries.size()) return false;
  return std::ranges::all_of(a.dict()->entries, [&](const auto& entry) {
    runtime.spend(b.dict()->entries.size());
    const Value* other = b.dict()->find(entry.first);
    return other != nullptr && equal(runtime, entry.second, *other);
  });
}

bool holds(Runtime& runtime, CompareOp op, const Value& left, const Value& right) {
  if (op == CompareOp::kEqual || op == CompareOp::kNotEqual) {
    return equal(runtime, left, right) == (op == CompareOp::kEqual);
  }
  if (op == CompareOp::kIn || op == CompareOp::kNotIn) {
    return contains(runtime, right, left) == (op == CompareOp::kIn);
  }
  const std::partial_ordering order = compare(runtime, left, right);
  if (op == CompareOp::kLess) return order < 0;
  if (op == CompareOp::kGreater) return order > 0;
  return op == CompareOp::kLessOrEqual ? order <= 0 : order >= 0;
}

Value arithmetic(Runtime& runtime, ArithmeticOp op, const Value& a, const Value& b) {
  if (op == ArithmeticOp::kModulo && a.is_string()) return format_text(runtime, *a.string(), b);
  a.require_defined();
  b.require_defined();
  if (a.as_number() && b.as_number()) return python::calculate(op, number_of(a), number_of(b));
  if (op == ArithmeticOp::kAdd && a.string() && b.string()) {
    runtime.check_text_size(a.string()->size() + b.string()->size());
    return *a.string() + *b.string();
  }
  if (op == ArithmeticOp::kAdd && a.is_list_or_tuple() && b.is_sequence(a.sequence()->type)) {
    Values items = a.sequence()->items;
    items.insert(items.end(), b.sequence()->items.begin(), b.sequence()->items.end());
    runtime.spend(items.size() * sizeof(Value));
    return Value::sequence(a.sequence()->type, std::move(items));
  }
  if (op == ArithmeticOp::kMultiply) {
    const auto& [many, times] = a.as_integer() ? std::tie(b, a) : std::tie(a, b);
    const bool repeats = many.is_string() || many.is_list_or_tuple();
    if (repeats && times.as_integer()) return repeat(runtime, many, *times.as_integer());
  }
  constexpr std::string_view kSymbols[] = {"+", "-", "*", "%", "/", "//", "** or pow()"};
  fail("unsupported operand type(s) for {}: '{}' and '{}'", kSymbols[static_cast<std::size_t>(op)], a.type_name(),
       b.type_name());
}

Value negate(const Value& value) {
  value.require_defined();
  if (const double* real = value.real()) return -*real;
  if (value.as_integer()) return python::calculate(ArithmeticOp::kSubtract, std::int64_t{0}, number_of(value));
  fail("bad operand type for unary -: '{}'", value.type_name());
}

std::int64_t length(const Value& value) {
  if (value.is_undefined()) return 0;
  if (const std::string* text = value.string()) return static_cast<std::int64_t>(count_characters(*text));
  if (value.sequence() && !value.is_generator()) return std::ssize(value.sequence()->items);
  if (const Dict* dict = value.dict()) return std::ssize(dict->entries);
  if (Loop* loop = value.loop()) return loop->length();
  fail("object of type '{}' has no len()", value.type_name());
}

Values items_of(Runtime& runtime, const Value& value) {
  Values items;
  if (value.is_undefined()) return items;
  if (const std::string* text = value.string()) {
    runtime.spend(text->size() * sizeof(Value));
    for (const char32_t code : code_points(*text)) items.emplace_back(to_utf8({&code, 1}));
  } else if (value.is_generator()) {
    const Sequence& generator = *value.sequence();
    items.assign(generator.items.begin() + static_cast<std::ptrdiff_t>(generator.read), generator.items.end());
    generator.read = generator.items.size();
  } else if (const Sequence* sequence = value.sequence()) {
    items = sequence->items;
  } else if (const Dict* dict = value.dict()) {
    for (const auto& entry : dict->entries) items.push_back(entry.first);
  } else {
    fail("'{}' object is not iterable", value.type_name());
  }
  runtime.spend(items.size() * sizeof(Value));
  return items;
}

Value attribute(Runtime& runtime, const Value& value, std::string_view name) {
  if (auto found = own_attribute(value, name)) return *found;
  if (auto found = own_item(runtime, value, Value(name))) return *found;
  return no_attribute(value, name);
}

void set_attribute(Runtime& runtime, Namespace& name_space, std::string_view name, const Value& value) {
  if (name.starts_with('_')) {
    fail("a namespace cannot have the attribute '{}': its name starts with an underscore", name);
  }
  runtime.spend(name_space.attributes.size());
  set_variable(name_space.attributes, name, value);
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
  value.require_defined();
  if (!value.is_indexable()) fail("'{}' object cannot be sliced", value.type_name());
  const python::Slice part{slice_index(start), slice_index(stop), slice_index(step)};
  if (const std::string* text = value.string()) {
    runtime.spend(text->size());
    return runtime.text(to_utf8(python::sliced(code_points(*text), part)));
  }
  Values items = python::sliced(value.sequence()->items, part);
  runtime.spend(items.size() * sizeof(Value));
  return Value::sequence(value.sequence()->type, std::move(items));
}

}  // namespace specthink::jinja
