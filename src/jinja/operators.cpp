#include "jinja/operators.h"

#include <algorithm>
#include <cmath>
#include <compare>
#include <optional>

#include "jinja/builtins/function.h"
#include "jinja/format.h"
#include "jinja/scope.h"
#include "jinja/unicode.h"
#include "specthink/jinja/error.h"

namespace specthink::jinja {
namespace {

constexpr std::size_t kWorkPerComparison = 8;

bool dicts_equal(Runtime& runtime, const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  return std::ranges::all_of(a.entries, [&](const auto& entry) {
    runtime.spend(b.entries.size());
    const Value* other = b.find(entry.first);
    return other != nullptr && equal(runtime, entry.second, *other);
  });
}

std::partial_ordering compare(Runtime& runtime, const Value& a, const Value& b) {
  runtime.spend(kWorkPerComparison);
  a.require_defined();
  b.require_defined();
  if (const auto i = a.as_integer(), j = b.as_integer(); i && j) return *i <=> *j;
  if (const auto x = a.as_number(), y = b.as_number(); x && y) return *x <=> *y;
  if (a.string() && b.string()) {  // bytes of UTF-8 have the order of code points
    runtime.spend(std::min(a.string()->size(), b.string()->size()));
    return *a.string() <=> *b.string();
  }
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
    return find_text(*text, *item.string()) != std::string::npos;
  }
  if (const Dict* dict = container.dict()) {
    require_hashable(item);
    runtime.spend(dict->entries.size());
    return dict->find(item) != nullptr;
  }
  return std::ranges::any_of(items_of(runtime, container),
                             [&](const Value& other) { return equal(runtime, other, item); });
}

// Integers of Python have no limit; here a result that does not fit is an error.
std::int64_t checked(bool overflow, const std::int64_t& result) {
  if (overflow) fail("the result is too large for a 64-bit integer");
  return result;
}

// As divmod() of Python: the remainder has the sign of the divisor.
std::pair<double, double> floor_divide(double a, double b) {
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder == 0) {
    remainder = std::copysign(0.0, b);
  } else if ((b < 0) != (remainder < 0)) {
    remainder += b;
    quotient -= 1;
  }
  if (quotient == 0) return {std::copysign(0.0, a / b), remainder};
  const double whole = std::floor(quotient);
  return {quotient - whole > 0.5 ? whole + 1 : whole, remainder};
}

Value real_arithmetic(ArithmeticOp op, double a, double b) {
  if (op == ArithmeticOp::kAdd) return a + b;
  if (op == ArithmeticOp::kSubtract) return a - b;
  if (op == ArithmeticOp::kMultiply) return a * b;
  if (op == ArithmeticOp::kPower) {
    if (a == 0 && b < 0) fail("0.0 cannot be raised to a negative power");
    if (a < 0 && std::isfinite(b) && b != std::floor(b)) fail("complex numbers are not supported");
    const double result = std::pow(a, b);
    if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) fail("the result is too large for a float");
    return result;
  }
  if (b == 0) fail("division by zero");
  if (op == ArithmeticOp::kDivide) return a / b;
  return op == ArithmeticOp::kModulo ? floor_divide(a, b).second : floor_divide(a, b).first;
}

Value integer_arithmetic(ArithmeticOp op, std::int64_t a, std::int64_t b) {
  if (op == ArithmeticOp::kDivide || (op == ArithmeticOp::kPower && b < 0)) {
    return real_arithmetic(op, static_cast<double>(a), static_cast<double>(b));
  }
  std::int64_t result = 0;
  if (op == ArithmeticOp::kPower) {
    result = 1;
    for (std::int64_t base = a; b > 0; b >>= 1) {
      if ((b & 1) != 0) checked(__builtin_mul_overflow(result, base, &result), result);
      const bool squares = b > 1 && base != 0 && base != 1 && base != -1;
      if (squares) checked(__builtin_mul_overflow(base, base, &base), base);
      if (base == -1 && b > 1) base = 1;
    }
    return result;
  }
  if (op == ArithmeticOp::kAdd) return checked(__builtin_add_overflow(a, b, &result), result);
  if (op == ArithmeticOp::kSubtract) return checked(__builtin_sub_overflow(a, b, &result), result);
  if (op == ArithmeticOp::kMultiply) return checked(__builtin_mul_overflow(a, b, &result), result);
  if (b == 0) fail("division by zero");
  const bool adjusts = b != -1 && a % b != 0 && (a < 0) != (b < 0);
  if (op == ArithmeticOp::kFloorDivide) {
    if (b == -1) return checked(__builtin_sub_overflow(0, a, &result), result);
    return a / b - (adjusts ? 1 : 0);
  }
  const std::int64_t remainder = b == -1 ? 0 : a % b;                               // INT64_MIN % -1 is not defined
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;  // with the sign of the divisor
}

Value repeat(Runtime& runtime, const std::string& text, std::int64_t times) {
  std::size_t bytes = 0;
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(times, 0));
  if (__builtin_mul_overflow(text.size(), count, &bytes)) bytes = kMaxTextBytes + 1;
  runtime.check_text_size(bytes);
  std::string result;
  while (result.size() < bytes) result += text;
  return result;
}

Value repeat(Runtime& runtime, const Sequence& sequence, std::int64_t times) {
  std::size_t count = 0;
  const auto rounds = static_cast<std::size_t>(std::max<std::int64_t>(times, 0));
  if (__builtin_mul_overflow(sequence.items.size(), rounds, &count)) count = kMaxWork;
  runtime.spend(std::min(count, kMaxWork) * sizeof(Value));
  Values items;
  while (items.size() < count) items.insert(items.end(), sequence.items.begin(), sequence.items.end());
  return Value::sequence(sequence.type, std::move(items));
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
  const std::string* text = value.string();
  const Sequence* sequence = value.sequence();
  const bool has_order = text != nullptr || (sequence != nullptr && sequence->type <= SequenceType::kRange);
  const auto index = key.as_integer();
  if (!index || !has_order) return std::nullopt;
  const std::int64_t count = length(value);
  const std::int64_t position = *index < 0 ? *index + count : *index;
  if (position < 0 || position >= count) return std::nullopt;
  const auto place = static_cast<std::size_t>(position);
  if (text == nullptr) return sequence->items[place];
  runtime.spend(text->size());
  return Value(to_utf8(code_points(*text).substr(place, 1)));
}

// The items at slice.indices() of Python; None where a bound is left out.
template <typename Items>
Items sliced(const Items& items, const Value& start, const Value& stop, const Value& step) {
  const auto number = [](const Value& value, std::int64_t otherwise) {
    if (value.is_none()) return otherwise;
    if (!value.as_integer()) fail("slice indices must be integers or None, not {}", value.type_name());
    return *value.as_integer();
  };
  const std::int64_t stride = number(step, 1);
  if (stride == 0) fail("slice step cannot be zero");
  const std::int64_t count = std::ssize(items);
  const std::int64_t lowest = stride < 0 ? -1 : 0;
  const std::int64_t highest = stride < 0 ? count - 1 : count;
  const auto bound = [&](const Value& value, std::int64_t otherwise) {
    const std::int64_t position = number(value, otherwise);
    if (value.is_none() || position >= 0) return std::min(position, highest);
    return position < -count ? lowest : std::max(position + count, lowest);
  };
  const std::int64_t end = bound(stop, stride < 0 ? lowest : highest);
  Items result;
  for (std::int64_t i = bound(start, stride < 0 ? highest : lowest); stride < 0 ? i > end : i < end;) {
    result.push_back(items[static_cast<std::size_t>(i)]);
    if (__builtin_add_overflow(i, stride, &i)) break;
  }
  return result;
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
  runtime.spend(kWorkPerComparison);
  if (a.string() && b.string()) {
    runtime.spend(std::min(a.string()->size(), b.string()->size()));
    return *a.string() == *b.string();
  }
  if (const auto i = a.as_integer(), j = b.as_integer(); i && j) return *i == *j;
  if (const auto x = a.as_number(), y = b.as_number(); x && y) return *x == *y;
  if (a.sequence() && b.is_sequence(a.sequence()->type) && !a.is_generator()) {
    const auto same = [&](const Value& x, const Value& y) { return equal(runtime, x, y); };
    return std::ranges::equal(a.sequence()->items, b.sequence()->items, same);
  }
  if (a.dict() && b.dict()) return dicts_equal(runtime, *a.dict(), *b.dict());
  return a.same_as(b);
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
  if (op == ArithmeticOp::kConcatenate) {
    TextBuilder out(runtime);
    out.append(to_text(runtime, a));
    out.append(to_text(runtime, b));
    return out.take();
  }
  if (op == ArithmeticOp::kModulo && a.is_string()) return format_text(runtime, *a.string(), b);
  a.require_defined();
  b.require_defined();
  if (const auto i = a.as_integer(), j = b.as_integer(); i && j) return integer_arithmetic(op, *i, *j);
  if (const auto x = a.as_number(), y = b.as_number(); x && y) return real_arithmetic(op, *x, *y);
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
    if (a.is_string() && b.as_integer()) return repeat(runtime, *a.string(), *b.as_integer());
    if (b.is_string() && a.as_integer()) return repeat(runtime, *b.string(), *a.as_integer());
    if (a.is_list_or_tuple() && b.as_integer()) return repeat(runtime, *a.sequence(), *b.as_integer());
    if (b.is_list_or_tuple() && a.as_integer()) return repeat(runtime, *b.sequence(), *a.as_integer());
  }
  constexpr std::string_view kSymbols[] = {"+", "-", "*", "%", "/", "//", "** or pow()"};
  fail("unsupported operand type(s) for {}: '{}' and '{}'", kSymbols[static_cast<std::size_t>(op)], a.type_name(),
       b.type_name());
}

Value negate(const Value& value) {
  value.require_defined();
  if (const double* real = value.real()) return -*real;
  if (value.as_integer()) return integer_arithmetic(ArithmeticOp::kSubtract, 0, *value.as_integer());
  fail("bad operand type for unary -: '{}'", value.type_name());
}

std::int64_t length(const Value& value) {
  if (value.is_undefined()) return 0;
  if (const std::string* text = value.string()) return static_cast<std::int64_t>(text_length(*text));
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
    for (std::size_t i = 0; i < text->size();) {
      const std::size_t start = i;
      next_code_point(*text, i);
      items.emplace_back(text->substr(start, i - start));
    }
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
  if (const std::string* text = value.string()) {
    runtime.spend(text->size());
    return runtime.text(to_utf8(sliced(code_points(*text), start, stop, step)));
  }
  const Sequence* sequence = value.sequence();
  if (sequence == nullptr || sequence->type > SequenceType::kRange) {
    fail("'{}' object cannot be sliced", value.type_name());
  }
  Values items = sliced(sequence->items, start, stop, step);
  runtime.spend(items.size() * sizeof(Value));
  return Value::sequence(sequence->type, std::move(items));
}

}  // namespace specthink::jinja
