#include "jinja/format.h"

#include <algorithm>

#include "specthink/base/json.h"
#include "specthink/base/python/literal.h"
#include "specthink/base/python/number.h"
#include "specthink/base/python/printf.h"
#include "specthink/jinja/error.h"

namespace specthink::jinja {
namespace {

// What repr() and JSON have in common: items between brackets with separators.
class Writer {
 public:
  explicit Writer(Runtime& runtime, const JsonStyle* json) : runtime_(runtime), out_(runtime), json_(json) {}

  std::string written(const Value& value) {
    write(value);
    return out_.take();
  }

 private:
  void write(const Value& value) {
    constexpr std::size_t kWorkPerValue = 64;  // beside its bytes: a number's digits take longer than they are long
    runtime_.spend(kWorkPerValue);
    if (const std::string* text = value.string()) {
      out_.append(json_ ? Json(*text).dump(-1, ' ', json_->ensure_ascii) : python::repr(*text));
    } else if (const std::int64_t* integer = value.integer()) {
      out_.append(std::to_string(*integer));
    } else if (const double* real = value.real()) {
      out_.append(json_ ? python::json_repr(*real) : python::repr(*real));
    } else if (const bool* boolean = value.boolean()) {
      out_.append(*boolean ? json_ ? "true" : "True" : json_ ? "false" : "False");
    } else if (value.is_none()) {
      out_.append(json_ ? "null" : "None");
    } else if (const Dict* dict = value.dict()) {
      write_dict(*dict);
    } else if (value.is_list_or_tuple() || (value.sequence() && !json_)) {
      write_sequence(value);
    } else if (json_) {
      fail("tojson: object of type {} is not JSON serializable", value.type_name());
    } else if (value.is_undefined()) {
      out_.append("Undefined");
    } else {
      fail("a {} cannot be printed{}", value.type_name(), value.method() ? "; is a pair of parentheses missing?" : "");
    }
  }

  void write_sequence(const Value& value) {
    constexpr std::string_view kOpen[] = {"[", "(", "", "dict_keys([", "dict_values([", "dict_items([", ""};
    const Sequence& sequence = *value.sequence();
    const std::string_view open = json_ ? "[" : kOpen[static_cast<std::size_t>(sequence.type)];
    const std::string_view close = open == "[" ? "]" : open != "(" ? "])" : sequence.items.size() == 1 ? ",)" : ")";
    if (open.empty()) fail("a {} cannot be printed; make it a list first (|list)", value.type_name());
    write_items(open, close, sequence.items, [&](const Value& item) { write(item); });
  }

  void write_dict(const Dict& dict) {
    Entries entries = dict.entries;
    if (json_ && json_->sorts_keys) {
      for (const auto& [key, value] : entries) {
        if (!key.is_string()) fail("tojson: sorting keys that are no strings is not supported");
      }
      std::ranges::stable_sort(entries, {},
                               [](const auto& entry) -> const std::string& { return *entry.first.string(); });
    }
    write_items("{", "}", entries, [&](const auto& entry) {
      const auto& [key, value] = entry;
      const bool quotes = json_ && !key.is_string();  // keys of JSON are strings
      if (quotes) out_.append("\"");
      write(key);
      if (quotes) out_.append("\"");
      out_.append(json_ ? json_->key_separator : ": ");
      write(value);
    });
  }

  template <typename Items, typename WriteItem>
  void write_items(std::string_view open, std::string_view close, const Items& items, WriteItem write_item) {
    out_.append(open);
    ++level_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_.append(json_ ? json_->item_separator : ", ");
      break_line();
      write_item(items[i]);
    }
    --level_;
    if (!items.empty()) break_line();
    out_.append(close);
  }

  void break_line() {
    if (!json_ || !json_->indent) return;
    out_.append("\n");
    for (int i = 0; i < level_; ++i) out_.append(*json_->indent);
  }

  Runtime& runtime_;
  TextBuilder out_;
  const JsonStyle* json_;  // null: repr()
  int level_ = 0;
};

// What a format is given: a tuple's items one by one, a dict's entries by their keys, or one value.
class Given : public python::PrintfCaller {
 public:
  Given(Runtime& runtime, const Value& given) : runtime_(runtime), given_(given) {}

  python::PrintfArgument next() override {
    if (next_ == (tuple_ ? tuple_->items.size() : 1)) fail("not enough arguments for format string");
    const std::size_t index = next_++;
    return argument(tuple_ ? tuple_->items[index] : given_);
  }

  python::PrintfArgument named(std::string_view key) override {
    if (given_.dict() == nullptr) fail("format requires a mapping");
    const Value* found = given_.dict()->find(Value(key));
    if (found == nullptr) fail("there is no key '{}' for the format", key);
    return argument(*found);
  }

  void check_size(std::size_t bytes) override { runtime_.check_text_size(bytes); }
  void put(std::string_view text) override { out_.append(text); }

  std::string take() {
    const bool may_stay = given_.dict() != nullptr || given_.is_sequence(SequenceType::kList);
    if (tuple_ ? next_ < tuple_->items.size() : next_ == 0 && !may_stay) {
      fail("not all arguments converted during string formatting");
    }
    return out_.take();
  }

 private:
  python::PrintfArgument argument(const Value& value) {
    return {value.as_integer(),
            value.as_number(),
            value.string(),
            value.type_name(),
            [this, &value] { return to_text(runtime_, value); },
            [this, &value] { return to_repr(runtime_, value); }};
  }

  Runtime& runtime_;
  const Value& given_;
  const Sequence* tuple_ = given_.is_sequence(SequenceType::kTuple) ? given_.sequence() : nullptr;
  std::size_t next_ = 0;
  TextBuilder out_{runtime_};
};

}  // namespace

std::string to_text(Runtime& runtime, const Value& value) {
  if (const std::string* text = value.string()) return *text;
  return value.is_undefined() ? "" : to_repr(runtime, value);
}

std::string to_repr(Runtime& runtime, const Value& value) { return Writer(runtime, nullptr).written(value); }

std::string format_text(Runtime& runtime, const std::string& format, const Value& given) {
  Given arguments(runtime, given);
  python::printf(format, arguments);
  return arguments.take();
}

std::string to_json(Runtime& runtime, const Value& value, const JsonStyle& style) {
  return Writer(runtime, &style).written(value);
}

}  // namespace specthink::jinja
