#include "text/jinja_format.h"

#include <charconv>
#include <cmath>

#include "text/jinja_error.h"
#include "text/jinja_unicode.h"

namespace specthink::jinja {
namespace {

void write_repr(TextBuilder& out, const Value& value);

void write_string_repr(TextBuilder& out, std::string_view text) {
  const bool double_quotes = text.find('\'') != text.npos && text.find('"') == text.npos;
  const char quote = double_quotes ? '"' : '\'';
  std::string result(1, quote);
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = i;
    const char32_t code = next_code_point(text, i);
    if (code == static_cast<char32_t>(quote) || code == '\\') {
      result += '\\';
      result += static_cast<char>(code);
    } else if (code == '\n') {
      result += "\\n";
    } else if (code == '\r') {
      result += "\\r";
    } else if (code == '\t') {
      result += "\\t";
    } else if (is_printable(code)) {
      result += text.substr(start, i - start);
    } else if (code < 0x100) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned>(code));
    } else if (code < 0x10000) {
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(code));
    } else {
      result += fmt::format("\\U{:08x}", static_cast<unsigned>(code));
    }
  }
  out.append(result + quote);
}

void write_items(TextBuilder& out, const Values& items) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out.append(", ");
    write_repr(out, items[i]);
  }
}

void write_sequence_repr(TextBuilder& out, const Sequence& sequence) {
  switch (sequence.type) {
    case SequenceType::kTuple:
      out.append("(");
      write_items(out, sequence.items);
      out.append(sequence.items.size() == 1 ? ",)" : ")");
      return;
    case SequenceType::kRange:
      fail("a range cannot be printed; make it a list first (|list)");
    case SequenceType::kKeys:
      out.append("dict_keys([");
      break;
    case SequenceType::kValues:
      out.append("dict_values([");
      break;
    case SequenceType::kItems:
      out.append("dict_items([");
      break;
    case SequenceType::kList:
      out.append("[");
      break;
  }
  write_items(out, sequence.items);
  out.append(sequence.type == SequenceType::kList ? "]" : "])");
}

void write_repr(TextBuilder& out, const Value& value) {
  if (value.is_none()) {
    out.append("None");
  } else if (value.is_undefined()) {
    out.append("Undefined");
  } else if (const bool* boolean = value.boolean()) {
    out.append(*boolean ? "True" : "False");
  } else if (const std::int64_t* integer = value.integer()) {
    out.append(std::to_string(*integer));
  } else if (const double* real = value.real()) {
    out.append(float_to_text(*real));
  } else if (const std::string* text = value.string()) {
    write_string_repr(out, *text);
  } else if (const Sequence* sequence = value.sequence()) {
    write_sequence_repr(out, *sequence);
  } else if (const Dict* dict = value.dict()) {
    out.append("{");
    for (std::size_t i = 0; i < dict->entries.size(); ++i) {
      if (i > 0) out.append(", ");
      write_repr(out, dict->entries[i].first);
      out.append(": ");
      write_repr(out, dict->entries[i].second);
    }
    out.append("}");
  } else {
    fail("a {} cannot be printed{}", value.type_name(),
         value.iterator() ? "; make it a list first (|list)"
         : value.method() ? "; is a pair of parentheses missing?"
                          : "");
  }
}

}  // namespace

std::string float_to_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[32];
  const auto written = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<std::size_t>(written.ptr - buffer));  // "-d.ddde+xx"
  const std::size_t e = text.find('e');
  int exponent = 0;
  std::from_chars(buffer + e + (buffer[e + 1] == '+' ? 2 : 1), written.ptr, exponent);
  if (exponent < -4 || exponent >= 16) return std::string(text);  // both write at least two digits of exponent
  std::string digits;
  for (const char c : text.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  const std::string sign = std::signbit(value) ? "-" : "";
  if (exponent < 0) return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  const std::size_t point = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= point) return sign + digits + std::string(point - digits.size(), '0') + ".0";
  return sign + digits.substr(0, point) + "." + digits.substr(point);
}

std::string to_text(Runtime& runtime, const Value& value) {
  if (const std::string* text = value.string()) return *text;
  if (value.is_undefined()) return "";
  return to_repr(runtime, value);
}

std::string to_repr(Runtime& runtime, const Value& value) {
  TextBuilder out(runtime);
  write_repr(out, value);
  return out.take();
}

}  // namespace specthink::jinja
