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

namespace specthink::jinja {

class Value;
struct Sequence;
struct Dict;
struct Iterator;
struct Loop;
struct Method;
struct Namespace;
struct Macro;
struct Function;

using Values = std::vector<Value>;
using Entries = std::vector<std::pair<Value, Value>>;

/// Sequences that Python tells apart by printing, comparing and indexing.
enum class SequenceType { kList, kTuple, kRange, kKeys, kValues, kItems };

class Value {
 public:
  /// None.
  Value() : data_(None{}) {}
  Value(bool value) : data_(value) {}
  Value(std::int64_t value) : data_(value) {}
  Value(double value) : data_(value) {}
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
  /// What Python calls a generator: it can be read once, and is true even when empty.
  static Value iterator(Values items);
  static Value method(Value self, const Function& function);

  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }
  bool is_none() const { return std::holds_alternative<None>(data_); }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_string() const { return std::holds_alternative<String>(data_); }
  bool is_sequence(SequenceType type) const;

  // Null when the value is of another type.
  const bool* boolean() const { return std::get_if<bool>(&data_); }
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&data_); }
  const double* real() const { return std::get_if<double>(&data_); }
  const std::string* string() const { return target<String>(); }
  const Sequence* sequence() const { return target<std::shared_ptr<const Sequence>>(); }
  const Dict* dict() const { return target<std::shared_ptr<const Dict>>(); }
  Iterator* iterator() const { return target<std::shared_ptr<Iterator>>(); }
  Loop* loop() const { return target<std::shared_ptr<Loop>>(); }
  const Method* method() const { return target<std::shared_ptr<const Method>>(); }
  Namespace* name_space() const;
  const Macro* macro() const;

  /// The value as an integer or number in Python's sense, where True is 1.
  std::optional<std::int64_t> as_integer() const;
  std::optional<double> as_number() const;

  /// Why the value is undefined; empty when it is not.
  const std::string& undefined_reason() const;

  /// Python's name of the type: "str", "NoneType".
  std::string_view type_name() const;

  /// Levels of containers: 0 for a string or number, 1 for a list of them.
  int depth() const;

  /// `is` in Python, as far as templates can tell.
  bool same_as(const Value& other) const;

 private:
  struct Undefined {
    std::shared_ptr<const std::string> why;
  };
  struct None {};
  using String = std::shared_ptr<const std::string>;
  using Data = std::variant<None, Undefined, bool, std::int64_t, double, String, std::shared_ptr<const Sequence>,
                            std::shared_ptr<const Dict>, std::shared_ptr<Iterator>, std::shared_ptr<Loop>,
                            std::shared_ptr<const Method>, Namespace*, const Macro*>;

  template <typename Pointer>
  typename Pointer::element_type* target() const {
    const Pointer* pointer = std::get_if<Pointer>(&data_);
    return pointer == nullptr ? nullptr : pointer->get();
  }

  Data data_;
};

struct Sequence {
  SequenceType type = SequenceType::kList;
  Values items;
  int depth = 0;
};

struct Dict {
  /// Null when there is no such key. Keys are compared as in Python (1, 1.0 and True are one key).
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;

  Entries entries;  // in order of insertion
  int depth = 0;
};

struct Iterator {
  /// The items that have not been read yet; none are left afterwards.
  Values take_rest();

  Values items;
  std::size_t next = 0;
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
  const Value* find(std::string_view name) const;
  void set(std::string_view name, Value value);

  std::vector<std::pair<std::string, Value>> attributes;
};

/// The depth of a container of these items. Throws TemplateError when it is too deep.
int container_depth(const Values& items);

}  // namespace specthink::jinja
