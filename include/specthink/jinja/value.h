// Values of the template language: Python's None, bool, int, float, str, list, tuple and dict, and what only templates
// have (undefined, namespaces, loops, macros).
//
// Strings, sequences and dicts are immutable and shared. Every value that holds others knows how deeply it is nested,
// and that depth is limited, so that recursion over values, their destruction included, is bounded.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "specthink/base/python/number.h"

namespace specthink::jinja {

class Value;
struct Sequence;
struct Dict;
class Loop;
struct Method;
struct Namespace;
struct Macro;
struct Function;

using Values = std::vector<Value>;
using Entries = std::vector<std::pair<Value, Value>>;
using Variables = std::vector<std::pair<std::string, Value>>;

/// Sequences that Python tells apart by printing, comparing and indexing.
enum class SequenceType { kList, kTuple, kRange, kKeys, kValues, kItems, kGenerator };

class Value {
 public:
  /// None.
  Value() : data_(None{}) {}
  Value(bool value) : data_(value) {}
  Value(std::int64_t value) : data_(value) {}
  Value(double value) : data_(value) {}
  Value(const python::Number& number) : Value(std::visit([](auto value) { return Value(value); }, number)) {}
  Value(std::string value) : data_(std::make_shared<const std::string>(std::move(value))) {}
  Value(std::string_view value) : Value(std::string(value)) {}
  Value(const char* value) : Value(std::string(value)) {}
  Value(Namespace* value) : data_(value) {}
  Value(const Macro* value) : data_(value) {}
  Value(std::shared_ptr<Loop> value) : data_(std::move(value)) {}

  /// `why` becomes the error when the value is used.
  static Value undefined(std::string why);
  static Value sequence(SequenceType type, Values items);
  static Value list(Values items) { return sequence(SequenceType::kList, std::move(items)); }
  static Value tuple(Values items) { return sequence(SequenceType::kTuple, std::move(items)); }
  /// A later entry replaces an earlier one with the same key, in the earlier one's place.
  static Value dict(Entries entries);
  /// As dict, for string keys that are known to differ.
  static Value dict_of_unique_keys(Entries entries);
  static Value method(Value self, const Function& function);

  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }
  bool is_none() const { return std::holds_alternative<None>(data_); }
  bool is_string() const { return std::holds_alternative<String>(data_); }
  bool is_sequence(SequenceType type) const;
  bool is_list_or_tuple() const { return is_sequence(SequenceType::kList) || is_sequence(SequenceType::kTuple); }
  bool is_indexable() const;  ///< a str, list, tuple or range
  bool is_generator() const { return is_sequence(SequenceType::kGenerator); }

  // Null when the value is of another type.
  const bool* boolean() const { return std::get_if<bool>(&data_); }
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&data_); }
  const double* real() const { return std::get_if<double>(&data_); }
  const std::string* string() const { return target<String>(); }
  const Sequence* sequence() const { return target<std::shared_ptr<const Sequence>>(); }
  const Dict* dict() const { return target<std::shared_ptr<const Dict>>(); }
  Loop* loop() const { return target<std::shared_ptr<Loop>>(); }
  const Method* method() const { return target<std::shared_ptr<const Method>>(); }
  Namespace* name_space() const { return target<Namespace*>(); }
  const Macro* macro() const { return target<const Macro*>(); }

  /// The value as an integer or number in Python's sense, where True is 1.
  std::optional<std::int64_t> as_integer() const;
  std::optional<double> as_number() const;

  /// Python's name of the type: "str", "NoneType".
  std::string_view type_name() const;

  /// Levels of containers: 0 for a string or number, 1 for a list of them.
  int depth() const;

  /// `is` in Python, as far as templates can tell.
  bool same_as(const Value& other) const;

  /// Throws TemplateError with the reason when the value is undefined.
  void require_defined() const;

 private:
  struct None {
    bool operator==(const None&) const = default;
  };
  struct Undefined {
    bool operator==(const Undefined&) const { return true; }
    std::shared_ptr<const std::string> why;
  };
  using String = std::shared_ptr<const std::string>;
  using Data = std::variant<None, Undefined, bool, std::int64_t, double, String, std::shared_ptr<const Sequence>,
                            std::shared_ptr<const Dict>, std::shared_ptr<Loop>, std::shared_ptr<const Method>,
                            Namespace*, const Macro*>;

  template <typename Pointer>
  auto target() const -> decltype(&*std::declval<Pointer>()) {
    const Pointer* pointer = std::get_if<Pointer>(&data_);
    return pointer == nullptr ? nullptr : &**pointer;
  }

  explicit Value(Data data) : data_(std::move(data)) {}

  Data data_;
};

struct Sequence {
  SequenceType type = SequenceType::kList;
  Values items;
  int depth = 0;
  mutable std::size_t read = 0;  // of a generator: each item can be read once
};

struct Dict {
  /// Null when there is no such key. Keys are compared as in Python (1, 1.0 and True are one key).
  const Value* find(const Value& key) const;

  Entries entries;  // in order of insertion
  int depth = 0;
};

/// A method bound to the value that it was read from, or a global function (`self` is None).
struct Method {
  Value self;
  const Function* function = nullptr;
  int depth = 0;
};

/// Attributes that a template may assign to. The rendering owns namespaces, so that those that hold each other are
/// no leak.
struct Namespace {
  Variables attributes;
};

/// Null when there is no variable of this name.
const Value* find_variable(const Variables& variables, std::string_view name);
void set_variable(Variables& variables, std::string_view name, Value value);

/// The depth of a container of these items. Throws TemplateError when it is too deep.
int container_depth(const Values& items);

}  // namespace specthink::jinja
