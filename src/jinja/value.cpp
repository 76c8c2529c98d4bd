#include "specthink/jinja/value.h"

#include <algorithm>

#include "jinja/scope.h"
#include "specthink/jinja/error.h"

namespace specthink::jinja {
namespace {

constexpr int kMaxItemDepth = 400;  // JSON from outside has at most 256 levels

int checked_depth(int depth_of_items) {
  if (depth_of_items >= kMaxItemDepth) fail("values are nested deeper than {} levels", kMaxItemDepth);
  return depth_of_items + 1;
}

bool same_key(const Value& a, const Value& b) {
  if (a.string() && b.string()) return *a.string() == *b.string();
  if (const auto x = a.as_integer(), y = b.as_integer(); x && y) return *x == *y;
  if (const auto x = a.as_number(), y = b.as_number(); x && y) return *x == *y;
  return a.is_none() && b.is_none();
}

}  // namespace

int container_depth(const Values& items) {
  int deepest = 0;
  for (const Value& item : items) deepest = std::max(deepest, item.depth());
  return checked_depth(deepest);
}

Value Value::undefined(std::string why) {
  return Value(Data(Undefined{std::make_shared<const std::string>(std::move(why))}));
}

Value Value::sequence(SequenceType type, Values items) {
  const int depth = container_depth(items);
  return Value(Data(std::make_shared<const Sequence>(Sequence{type, std::move(items), depth, 0})));
}

Value Value::dict(Entries entries) {
  Entries unique;
  for (auto& entry : entries) {
    const Value& key = entry.first;
    if (!key.is_string() && !key.is_none() && !key.as_number()) {
      fail("a {} cannot be a key of a dict", key.type_name());
    }
    const auto found = std::ranges::find_if(unique, [&](const auto& e) { return same_key(e.first, key); });
    if (found == unique.end()) {
      unique.push_back(std::move(entry));
    } else {
      found->second = std::move(entry.second);
    }
  }
  return dict_of_unique_keys(std::move(unique));
}

Value Value::dict_of_unique_keys(Entries entries) {
  int deepest = 0;
  for (const auto& entry : entries) deepest = std::max(deepest, entry.second.depth());
  return Value(Data(std::make_shared<const Dict>(Dict{std::move(entries), checked_depth(deepest)})));
}

Value Value::method(Value self, const Function& function) {
  const int depth = checked_depth(self.depth());
  return Value(Data(std::make_shared<const Method>(Method{std::move(self), &function, depth})));
}

bool Value::is_sequence(SequenceType type) const { return sequence() && sequence()->type == type; }
bool Value::is_indexable() const { return string() || (sequence() && sequence()->type <= SequenceType::kRange); }

std::optional<std::int64_t> Value::as_integer() const {
  if (const bool* value = boolean()) return *value ? 1 : 0;
  if (const std::int64_t* value = integer()) return *value;
  return std::nullopt;
}

std::optional<double> Value::as_number() const {
  if (const double* value = real()) return *value;
  if (const auto value = as_integer()) return static_cast<double>(*value);
  return std::nullopt;
}

std::string_view Value::type_name() const {
  constexpr std::string_view kSequences[] = {"list",        "tuple",      "range",    "dict_keys",
                                             "dict_values", "dict_items", "generator"};
  constexpr std::string_view kNames[] = {"NoneType",  "Undefined", "bool", "int",         "float",
                                         "str",       "list",      "dict", "LoopContext", "builtin_function_or_method",
                                         "Namespace", "Macro"};  // in the order of Data
  static_assert(std::size(kNames) == std::variant_size_v<Data>);
  if (const Sequence* items = sequence()) return kSequences[static_cast<std::size_t>(items->type)];
  return kNames[data_.index()];
}

int Value::depth() const {
  if (const Sequence* items = sequence()) return items->depth;
  if (const Dict* entries = dict()) return entries->depth;
  if (const Method* bound = method()) return bound->depth;
  if (const Loop* state = loop()) return state->depth();
  return 0;
}

bool Value::same_as(const Value& other) const {
  if (string() && other.string()) return *string() == *other.string();
  return data_ == other.data_;  // containers by their address
}

void Value::require_defined() const {
  if (const Undefined* undefined = std::get_if<Undefined>(&data_)) fail("{}", *undefined->why);
}

const Value* Dict::find(const Value& key) const {
  const auto found = std::ranges::find_if(entries, [&](const auto& entry) { return same_key(entry.first, key); });
  return found == entries.end() ? nullptr : &found->second;
}

const Value* find_variable(const Variables& variables, std::string_view name) {
  const auto found = std::ranges::find(variables, name, &Variables::value_type::first);
  return found == variables.end() ? nullptr : &found->second;
}

void set_variable(Variables& variables, std::string_view name, Value value) {
  const auto found = std::ranges::find(variables, name, &Variables::value_type::first);
  if (found != variables.end()) {
    found->second = std::move(value);
  } else {
    variables.emplace_back(name, std::move(value));
  }
}

}  // namespace specthink::jinja
