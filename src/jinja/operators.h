// What Python's operators do with template values: arithmetic, comparison, attributes, items and slices.
#pragma once

#include <cstdint>
#include <string_view>

#include "jinja/runtime.h"
#include "specthink/base/python/number.h"
#include "specthink/jinja/value.h"

namespace specthink::jinja {

using ArithmeticOp = python::Operator;
enum class CompareOp { kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual, kIn, kNotIn };

bool is_true(const Value& value);
bool equal(Runtime& runtime, const Value& a, const Value& b);

/// `left op right`. Throws TemplateError for types that Python does not order, or that contain nothing.
bool holds(Runtime& runtime, CompareOp op, const Value& left, const Value& right);

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

/// Assigns to it. Throws TemplateError for a name that the sandbox of the reference does not allow.
void set_attribute(Runtime& runtime, Namespace& name_space, std::string_view name, const Value& value);

/// `value[key]`: an item, else the attribute of that name, else undefined.
Value item(Runtime& runtime, const Value& value, const Value& key);

/// `value[start:stop:step]`; None where a bound is left out.
Value slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop, const Value& step);

}  // namespace specthink::jinja
