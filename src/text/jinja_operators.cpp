#include "text/jinja_operators.h"

#include <algorithm>
#include <cmath>

#include "text/jinja_error.h"
#include "text/jinja_format.h"
#include "text/jinja_loop.h"
#include "text/jinja_unicode.h"

namespace specthink::jinja {
namespace {

constexpr std::size_t kWorkPerComparison = 8;

void require_defined(const Value& value) {
  if (value.is_undefined()) fail("{}", value.undefined_reason());
}

bool sequences_equal(Runtime& runtime, const Sequence& a, const Sequence& b) {
  return a.type == b.type && a.items.size() == b.items.size() &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(),
                    [&](const Value& x, const Value& y) { return equal(runtime, x, y); });
}

bool dicts_equal(Runtime& runtime, const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  return std::all_of(a.entries.begin(), a.entries.end(), [&](const auto& entry) {
    runtime.spend(b.entries.size());
    const Value* other = b.find(entry.first);
    return other != nullptr && equal(runtime, entry.second, *other);
  });
}

[[noreturn]] void fail_operands(std::string_view op, const Value& a, const Value& b) {
  fail("unsupported operand type(s) for {}: '{}' and '{}'", op, a.type_name(), b.type_name());
}

std::string_view symbol(ArithmeticOp op) {
  switch (op) {
    case ArithmeticOp::kAdd:
      return "+";
    case ArithmeticOp::kSubtract:
      return "-";
    case ArithmeticOp::kMultiply:
      return "*";
    case ArithmeticOp::kDivide:
      return "/";
    case ArithmeticOp::kFloorDivide:
      return "//";
    case ArithmeticOp::kModulo:
      return "%";
    case ArithmeticOp::kPower:
      return "**";
  }
  return "?";
}

[[noreturn]] void fail_overflow() { fail("the result is too large for a 64-bit integer"); }

std::int64_t multiply(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) fail_overflow();
  return result;
}

std::int64_t add(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) fail_overflow();
  return result;
}

std::int64_t subtract(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (__builtin_sub_overflow(a, b, &result)) fail_overflow();
  return result;
}

std::int64_t power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1) result = multiply(result, base);
    if (exponent > 1) base = multiply(base, base);
  }
  return result;
}

// Python rounds towards minus infinity; the remainder has the sign of the divisor.
std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  if (b == -1) return subtract(0, a);
  return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

std::int64_t remainder(std::int64_t a, std::int64_t b) {
  if (b == -1) return 0;  // INT64_MIN % -1 is not defined
  const std::int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

double modulo(double a, double b) {
  const double remainder = std::fmod(a, b);
  if (remainder == 0) return std::copysign(0.0, b);
  return (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

double floor_divide(double a, double b) {
  const double quotient = (a - modulo(a, b)) / b;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double rounded = std::floor(quotient);
  return quotient - rounded > 0.5 ? rounded + 1 : rounded;
}

Value integer_arithmetic(ArithmeticOp op, std::int64_t a, std::int64_t b) {
  switch (op) {
    case ArithmeticOp::kAdd:
      return add(a, b);
    case ArithmeticOp::kSubtract:
      return subtract(a, b);
    case ArithmeticOp::kMultiply:
      return multiply(a, b);
    case ArithmeticOp::kDivide:
      return static_cast<double>(a) / static_cast<double>(b);
    case ArithmeticOp::kFloorDivide:
      return floor_divide(a, b);
    case ArithmeticOp::kModulo:
      return remainder(a, b);
    case ArithmeticOp::kPower:
      if (b < 0) return std::pow(static_cast<double>(a), static_cast<double>(b));
      return power(a, b);
  }
  return Value();
}

Value real_arithmetic(ArithmeticOp op, double a, double b) {
  switch (op) {
    case ArithmeticOp::kAdd:
      return a + b;
    case ArithmeticOp::kSubtract:
      return a - b;
    case ArithmeticOp::kMultiply:
      return a * b;
    case ArithmeticOp::kDivide:
      return a / b;
    case ArithmeticOp::kFloorDivide:
      return floor_divide(a, b);
    case ArithmeticOp::kModulo:
      return modulo(a, b);
    case ArithmeticOp::kPower:
      if (a < 0 && b != std::floor(b)) fail("a negative number to a fractional power is not supported");
      return std::pow(a, b);
  }
  return a;
}

std::optional<Value> numeric(ArithmeticOp op, const Value& a, const Value& b) {
  const auto x = a.as_number(), y = b.as_number();
  if (!x || !y) return std::nullopt;
  const bool divides = op == ArithmeticOp::kDivide || op == ArithmeticOp::kFloorDivide || op == ArithmeticOp::kModulo;
  if ((divides && *y == 0) || (op == ArithmeticOp::kPower && *x == 0 && *y < 0)) fail("division by zero");
  if (const auto i = a.as_integer(), j = b.as_integer(); i && j) return integer_arithmetic(op, *i, *j);
  return real_arithmetic(op, *x, *y);
}

Value repeat(Runtime& runtime, const Value& value, std::int64_t times) {
  const std::size_t count = times < 0 ? 0 : static_cast<std::size_t>(times);
  if (const std::string* text = value.string()) {
    if (!text->empty() && count > kMaxTextBytes / text->size()) runtime.check_text_size(kMaxTextBytes + 1);
    runtime.check_text_size(text->size() * count);
    std::string result;
    for (std::size_t i = 0; i < count && !text->empty(); ++i) result += *text;
    return result;
  }
  const Sequence& sequence = *value.sequence();
  if (!sequence.items.empty() && count > kMaxWork / sequence.items.size()) runtime.spend(kMaxWork);
  runtime.spend(sequence.items.size() * count * sizeof(Value));
  Values items;
  for (std::size_t i = 0; i < count && !sequence.items.empty(); ++i) {
    items.insert(items.end(), sequence.items.begin(), sequence.items.end());
  }
  return Value::sequence(sequence.type, std::move(items));
}

bool is_list_or_tuple(const Value& value) {
  return value.is_sequence(SequenceType::kList) || value.is_sequence(SequenceType::kTuple);
}

Value add(Runtime& runtime, const Value& a, const Value& b) {
  if (a.string() && b.string()) {
    runtime.check_text_size(a.string()->size() + b.string()->size());
    return *a.string() + *b.string();
  }
  if (is_list_or_tuple(a) && b.is_sequence(a.sequence()->type)) {
    Values items = a.sequence()->items;
    items.insert(items.end(), b.sequence()->items.begin(), b.sequence()->items.end());
    runtime.spend(items.size() * sizeof(Value));
    return Value::sequence(a.sequence()->type, std::move(items));
  }
  if (a.is_string() || is_list_or_tuple(a)) {
    fail("can only concatenate {} (not \"{}\") to {}", a.type_name(), b.type_name(), a.type_name());
  }
  fail_operands("+", a, b);
}

}  // namespace

void require_hashable(const Value& key) {
  if (key.dict() || key.is_sequence(SequenceType::kList)) fail("unhashable type: '{}'", key.type_name());
}

bool is_true(const Value& value) {
  if (value.is_none() || value.is_undefined()) return false;
  if (const auto number = value.as_number()) return *number != 0;
  if (const std::string* text = value.string()) return !text->empty();
  if (const Sequence* sequence = value.sequence()) return !sequence->items.empty();
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
  if (a.sequence() && b.sequence()) return sequences_equal(runtime, *a.sequence(), *b.sequence());
  if (a.dict() && b.dict()) return dicts_equal(runtime, *a.dict(), *b.dict());
  return a.same_as(b);
}

std::partial_ordering compare(Runtime& runtime, const Value& a, const Value& b) {
  runtime.spend(kWorkPerComparison);
  require_defined(a);
  require_defined(b);
  if (const auto i = a.as_integer(), j = b.as_integer(); i && j) return *i <=> *j;
  if (const auto x = a.as_number(), y = b.as_number(); x && y) return *x <=> *y;
  if (a.string() && b.string()) {  // bytes of UTF-8 have the order of code points
    runtime.spend(std::min(a.string()->size(), b.string()->size()));
    return *a.string() <=> *b.string();
  }
  if (is_list_or_tuple(a) && b.is_sequence(a.sequence()->type)) {
    const Values &left = a.sequence()->items, &right = b.sequence()->items;
    const auto [x, y] = std::mismatch(left.begin(), left.end(), right.begin(), right.end(),
                                      [&](const Value& p, const Value& q) { return equal(runtime, p, q); });
    if (x != left.end() && y != right.end()) return compare(runtime, *x, *y);
    return left.size() <=> right.size();
  }
  fail("'<' not supported between instances of '{}' and '{}'", a.type_name(), b.type_name());
}

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
  if (container.as_number() || container.is_none() || container.method() || container.macro() ||
      container.name_space()) {
    fail("argument of type '{}' is not iterable", container.type_name());
  }
  const Values items = items_of(runtime, container);
  return std::any_of(items.begin(), items.end(), [&](const Value& other) { return equal(runtime, other, item); });
}

Value arithmetic(Runtime& runtime, ArithmeticOp op, const Value& a, const Value& b) {
  if (op == ArithmeticOp::kModulo && a.is_string()) return percent_format(runtime, *a.string(), b);
  require_defined(a);
  require_defined(b);
  if (auto result = numeric(op, a, b)) return *result;
  if (op == ArithmeticOp::kAdd) return add(runtime, a, b);
  if (op == ArithmeticOp::kMultiply) {
    const auto repeatable = [](const Value& value) { return value.is_string() || is_list_or_tuple(value); };
    if (repeatable(a) && b.as_integer()) return repeat(runtime, a, *b.as_integer());
    if (repeatable(b) && a.as_integer()) return repeat(runtime, b, *a.as_integer());
  }
  fail_operands(symbol(op), a, b);
}

Value negate(const Value& value) {
  require_defined(value);
  if (const auto integer = value.as_integer()) return subtract(0, *integer);
  if (const double* real = value.real()) return -*real;
  fail("bad operand type for unary -: '{}'", value.type_name());
}

std::int64_t length(const Value& value) {
  if (value.is_undefined()) return 0;
  if (const std::string* text = value.string()) return static_cast<std::int64_t>(text_length(*text));
  if (const Sequence* sequence = value.sequence()) return std::ssize(sequence->items);
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
  } else if (const Sequence* sequence = value.sequence()) {
    items = sequence->items;
  } else if (const Dict* dict = value.dict()) {
    for (const auto& entry : dict->entries) items.push_back(entry.first);
  } else if (Iterator* iterator = value.iterator()) {
    items = iterator->take_rest();
  } else {
    fail("'{}' object is not iterable", value.type_name());
  }
  runtime.spend(items.size() * sizeof(Value));
  return items;
}

Value replace_text(Runtime& runtime, std::string_view text, std::string_view old, std::string_view replacement,
                   std::int64_t count) {
  TextBuilder out(runtime);
  std::size_t position = 0;
  while (count != 0) {
    const std::size_t found = find_text(text, old, position);
    if (found == text.npos) break;
    out.append(text.substr(position, found - position));
    out.append(replacement);
    position = found + old.size();
    if (old.empty()) {  // before each character and at the end
      if (position == text.size()) return out.take();
      next_code_point(text, position);
      out.append(text.substr(found, position - found));
    }
    if (count > 0) --count;
  }
  out.append(text.substr(position));
  return out.take();
}

}  // namespace specthink::jinja
