#include "jinja/format.h"

#include <algorithm>
#include <cmath>

#include "jinja/unicode.h"
#include "specthink/base/json.h"
#include "specthink/jinja/error.h"

namespace specthink::jinja {
namespace {

// repr(float): the shortest digits that read back as the same number.
std::string float_to_text(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_not_of("-0123456789") == text.npos) text += ".0";
  if (std::isnan(value)) text = "nan";  // whatever its sign
  return text;
}

std::string string_to_repr(std::string_view text) {
  const char quote = text.find('\'') != text.npos && text.find('"') == text.npos ? '"' : '\'';
  std::string result(1, quote);
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = i;
    const char32_t code = next_code_point(text, i);
    const auto number = static_cast<std::uint32_t>(code);
    if (code == '\n' || code == '\r' || code == '\t') {
      result += code == '\n' ? "\\n" : code == '\r' ? "\\r" : "\\t";
    } else if (is_printable(code)) {
      if (code == '\\' || code == static_cast<char32_t>(quote)) result += '\\';
      result += text.substr(start, i - start);
    } else {
      result += code < 0x100     ? fmt::format("\\x{:02x}", number)
                : code < 0x10000 ? fmt::format("\\u{:04x}", number)
                                 : fmt::format("\\U{:08x}", number);
    }
  }
  return result + quote;
}

// What repr() and JSON have in common: items between brackets with separators.
class Writer {
 public:
  explicit Writer(Runtime& runtime, const JsonStyle* json) : out_(runtime), json_(json) {}

  std::string written(const Value& value) {
    write(value);
    return out_.take();
  }

 private:
  void write(const Value& value) {
    if (const std::string* text = value.string()) {
      out_.append(json_ ? Json(*text).dump(-1, ' ', json_->ensure_ascii) : string_to_repr(*text));
    } else if (const std::int64_t* integer = value.integer()) {
      out_.append(std::to_string(*integer));
    } else if (const double* real = value.real()) {
      const bool is_json_name = json_ && !std::isfinite(*real);
      out_.append(is_json_name ? std::isnan(*real) ? "NaN"
                                 : *real > 0       ? "Infinity"
                                                   : "-Infinity"
                               : float_to_text(*real));
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

  TextBuilder out_;
  const JsonStyle* json_;  // null: repr()
  int level_ = 0;
};

}  // namespace

std::string to_text(Runtime& runtime, const Value& value) {
  if (const std::string* text = value.string()) return *text;
  return value.is_undefined() ? "" : to_repr(runtime, value);
}

std::string to_repr(Runtime& runtime, const Value& value) { return Writer(runtime, nullptr).written(value); }

std::string to_json(Runtime& runtime, const Value& value, const JsonStyle& style) {
  return Writer(runtime, &style).written(value);
}

}  // namespace specthink::jinja
