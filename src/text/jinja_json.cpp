// json.dumps, which the tojson filter is.
#include <algorithm>
#include <cmath>

#include "text/jinja_error.h"
#include "text/jinja_format.h"
#include "text/jinja_operators.h"
#include "text/jinja_unicode.h"

namespace specthink::jinja {
namespace {

class JsonWriter {
 public:
  JsonWriter(TextBuilder& out, const JsonStyle& style) : out_(out), style_(style) {}

  void write(const Value& value) {
    if (value.is_none()) {
      out_.append("null");
    } else if (const bool* boolean = value.boolean()) {
      out_.append(*boolean ? "true" : "false");
    } else if (const std::int64_t* integer = value.integer()) {
      out_.append(std::to_string(*integer));
    } else if (const double* real = value.real()) {
      out_.append(number(*real));
    } else if (const std::string* text = value.string()) {
      write_string(*text);
    } else if (value.is_sequence(SequenceType::kList) || value.is_sequence(SequenceType::kTuple)) {
      write_list(value.sequence()->items);
    } else if (const Dict* dict = value.dict()) {
      write_dict(*dict);
    } else {
      fail("tojson: object of type {} is not JSON serializable", value.type_name());
    }
  }

 private:
  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return float_to_text(value);
  }

  // Between items, and around them when there is an indentation.
  void write_break() {
    if (!style_.indent) return;
    out_.append("\n");
    for (int i = 0; i < level_; ++i) out_.append(*style_.indent);
  }

  void write_list(const Values& items) {
    if (items.empty()) return out_.append("[]");
    out_.append("[");
    ++level_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_.append(style_.item_separator);
      write_break();
      write(items[i]);
    }
    --level_;
    write_break();
    out_.append("]");
  }

  void write_dict(const Dict& dict) {
    if (dict.entries.empty()) return out_.append("{}");
    Entries sorted;
    if (style_.sort_keys) {
      sorted = dict.entries;
      std::stable_sort(sorted.begin(), sorted.end(),
                       [&](const auto& a, const auto& b) { return compare(out_.runtime(), a.first, b.first) < 0; });
    }
    const Entries& entries = style_.sort_keys ? sorted : dict.entries;
    out_.append("{");
    ++level_;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out_.append(style_.item_separator);
      write_break();
      write_key(entries[i].first);
      out_.append(style_.key_separator);
      write(entries[i].second);
    }
    --level_;
    write_break();
    out_.append("}");
  }

  void write_key(const Value& key) {
    if (const std::string* text = key.string()) return write_string(*text);
    out_.append("\"");
    write(key);
    out_.append("\"");
  }

  void write_string(std::string_view text) {
    std::string result = "\"";
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t start = i;
      const char32_t code = next_code_point(text, i);
      switch (code) {
        case '"':
          result += "\\\"";
          break;
        case '\\':
          result += "\\\\";
          break;
        case '\n':
          result += "\\n";
          break;
        case '\r':
          result += "\\r";
          break;
        case '\t':
          result += "\\t";
          break;
        case '\b':
          result += "\\b";
          break;
        case '\f':
          result += "\\f";
          break;
        default:
          if (code >= 0x20 && (code < 0x7F || !style_.ensure_ascii)) {
            result += text.substr(start, i - start);
          } else if (code < 0x10000) {
            result += fmt::format("\\u{:04x}", static_cast<unsigned>(code));
          } else {
            const unsigned rest = static_cast<unsigned>(code) - 0x10000;
            result += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
          }
      }
    }
    out_.append(result + "\"");
  }

  TextBuilder& out_;
  const JsonStyle& style_;
  int level_ = 0;
};

}  // namespace

std::string to_json(Runtime& runtime, const Value& value, const JsonStyle& style) {
  TextBuilder out(runtime);
  JsonWriter(out, style).write(value);
  return out.take();
}

}  // namespace specthink::jinja
