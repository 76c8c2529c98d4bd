#include "text/jinja_value.h"

#include <algorithm>

#include "text/jinja_error.h"
#include "text/jinja_loop.h"

namespace specthink::jinja {
namespace {

constexpr int kMaxDepth = 400;  // JSON from outside has at most 256 levels

int checked_depth(int depth_of_items) {
  if (depth_of_items >= kMaxDepth) fail("values are nested deeper than {} levels", kMaxDepth);
  return depth_of_items + 1;
}

bool is_key(const Value& value) { return value.is_string() || value.is_none() || value.as_number().has_value(); }

bool same_key(const Value& a, const Value& b) {
  if (a.string() && b.string()) return *a.string() == *b.string();
  const auto x = a.as_integer(), y = b.as_integer();
  if (x && y) return *x == *y;
  const auto p = a.as_number(), q = b.as_number();
  if (p && q) return *p == *q;
  return a.is_none() && b.is_none();
}

}  // namespace

int container_depth(const Values& items) {
  int deepest = 0;
  for (const Value& item : items) deepest = std::max(deepest, item.depth());
  return checked_depth(deepest);
}

Value Value::undefined(std::string why) {
  Value value;
  value.data_ = Undefined{std::make_shared<const std::string>(std::move(why))};
  return value;
}

Value Value::sequence(SequenceType type, Values items) {
  const int depth = container_depth(items);
  Value value;
  value.data_ = std::make_shared<const Sequence>(Sequence{type, std::move(items), depth});
  return value;
}

Value Value::dict(Entries entries) {
  Entries unique;
  for (auto& [key, value] : entries) {
    if (!is_key(key)) fail("a {} cannot be a key of a dict", key.type_name());
    const auto found =
        std::find_if(unique.begin(), unique.end(), [&](const auto& e) { return same_key(e.first, key); });
    if (found == unique.end()) {
      unique.emplace_back(std::move(key), std::move(value));
    } else {
      found->second = std::move(value);
    }
  }
  return dict_of_unique_keys(std::move(unique));
}

Value Value::dict_of_unique_keys(Entries entries) {
  int deepest = 0;
  for (const auto& entry : entries) deepest = std::max(deepest, entry.second.depth());
  Value value;
  value.data_ = std::make_shared<const Dict>(Dict{std::move(entries), checked_depth(deepest)});
  return value;
}

Value Value::iterator(Values items) {
  const int depth = container_depth(items);
  Value value;
  value.data_ = std::make_shared<Iterator>(Iterator{std::move(items), 0, depth});
  return value;
}

Value Value::method(Value self, const Function& function) {
  const int depth = checked_depth(self.depth());
  Value value;
  value.data_ = std::make_shared<const Method>(Method{std::move(self), &function, depth});
  return value;
}

bool Value::is_sequence(SequenceType type) const {
  const Sequence* items = sequence();
  return items != nullptr && items->type == type;
}

Namespace* Value::name_space() const {
  Namespace* const* pointer = std::get_if<Namespace*>(&data_);
  return pointer == nullptr ? nullptr : *pointer;
}

const Macro* Value::macro() const {
  const Macro* const* pointer = std::get_if<const Macro*>(&data_);
  return pointer == nullptr ? nullptr : *pointer;
}

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

const std::string& Value::undefined_reason() const {
  static const std::string kNone;
  const Undefined* undefined = std::get_if<Undefined>(&data_);
  return undefined == nullptr ? kNone : *undefined->why;
}

std::string_view Value::type_name() const {
  struct Names {
    std::string_view operator()(const None&) const { return "NoneType"; }
    std::string_view operator()(const Undefined&) const { return "Undefined"; }
    std::string_view operator()(bool) const { return "bool"; }
    std::string_view operator()(std::int64_t) const { return "int"; }
    std::string_view operator()(double) const { return "float"; }
    std::string_view operator()(const String&) const { return "str"; }
    std::string_view operator()(const std::shared_ptr<const Sequence>& sequence) const {
      switch (sequence->type) {
        case SequenceType::kList:
          return "list";
        case SequenceType::kTuple:
          return "tuple";
        case SequenceType::kRange:
          return "range";
        case SequenceType::kKeys:
          return "dict_keys";
        case SequenceType::kValues:
          return "dict_values";
        case SequenceType::kItems:
          return "dict_items";
      }
      return "list";
    }
    std::string_view operator()(const std::shared_ptr<const Dict>&) const { return "dict"; }
    std::string_view operator()(const std::shared_ptr<Iterator>&) const { return "generator"; }
    std::string_view operator()(const std::shared_ptr<Loop>&) const { return "LoopContext"; }
    std::string_view operator()(const std::shared_ptr<const Method>&) const { return "builtin_function_or_method"; }
    std::string_view operator()(Namespace*) const { return "Namespace"; }
    std::string_view operator()(const Macro*) const { return "Macro"; }
  };
  return std::visit(Names{}, data_);
}

int Value::depth() const {
  if (const Sequence* items = sequence()) return items->depth;
  if (const Dict* entries = dict()) return entries->depth;
  if (const Iterator* items = iterator()) return items->depth;
  if (const Method* bound = method()) return bound->depth;
  if (const Loop* state = loop()) return state->depth();
  return 0;
}

bool Value::same_as(const Value& other) const {
  if (data_.index() != other.data_.index()) return false;
  if (is_none() || is_undefined()) return true;
  if (boolean()) return *boolean() == *other.boolean();
  if (integer()) return *integer() == *other.integer();
  if (real()) return *real() == *other.real();
  if (string()) return *string() == *other.string();
  return sequence() == other.sequence() && dict() == other.dict() && iterator() == other.iterator() &&
         loop() == other.loop() && method() == other.method() && name_space() == other.name_space() &&
         macro() == other.macro();
}

const Value* Dict::find(const Value& key) const {
  for (const auto& entry : entries) {
    if (same_key(entry.first, key)) return &entry.second;
  }
  return nullptr;
}

const Value* Dict::find(std::string_view key) const {
  for (const auto& entry : entries) {
    if (entry.first.string() && *entry.first.string() == key) return &entry.second;
  }
  return nullptr;
}

Values Iterator::take_rest() {
  Values rest(std::make_move_iterator(items.begin() + next), std::make_move_iterator(items.end()));
  items.clear();
  next = 0;
  return rest;
}

const Value* Namespace::find(std::string_view name) const {
  for (const auto& [key, value] : attributes) {
    if (key == name) return &value;
  }
  return nullptr;
}

void Namespace::set(std::string_view name, Value value) {
  for (auto& [key, old] : attributes) {
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  attributes.emplace_back(name, std::move(value));
}

}  // namespace specthink::jinja
