// What Python's operators do with template values.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "text/jinja_runtime.h"
#include "text/jinja_value.h"

namespace specthink::jinja {

enum class ArithmeticOp { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };

bool is_true(const Value& value);
bool equal(Runtime& runtime, const Value& a, const Value& b);

/// For < <= > >=; throws TemplateError for types that Python does not order.
std::partial_ordering compare(Runtime& runtime, const Value& a, const Value& b);

/// `item in container`.
bool contains(Runtime& runtime, const Value& container, const Value& item);

Value arithmetic(Runtime& runtime, ArithmeticOp op, const Value& a, const Value& b);
Value negate(const Value& value);

/// Throws TemplateError for what can never be a key of a dict.
void require_hashable(const Value& key);

/// len(value).
std::int64_t length(const Value& value);

/// The items that a loop over `value` sees: characters of a string, keys of a dict. Uses up an iterator.
Values items_of(Runtime& runtime, const Value& value);

/// `value.name`: an attribute, else the item of that name, else undefined.
Value attribute(Runtime& runtime, const Value& value, std::string_view name);

/// `value[key]`: an item, else the attribute of that name, else undefined.
Value item(Runtime& runtime, const Value& value, const Value& key);

/// `value[start:stop:step]`; None where a bound is left out.
Value slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop, const Value& step);

/// str.replace; `count` below 0 is all.
Value replace_text(Runtime& runtime, std::string_view text, std::string_view old, std::string_view replacement,
                   std::int64_t count);

}  // namespace specthink::jinja
