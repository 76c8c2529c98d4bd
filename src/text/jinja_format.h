// Values as text: str(), repr(), JSON and printf-style formatting, as Python writes them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/jinja_runtime.h"
#include "text/jinja_value.h"

namespace specthink::jinja {

/// repr(float): the shortest digits that read back as the same number.
std::string float_to_text(double value);

/// str(value); empty for undefined. Throws TemplateError for what has no fixed text, such as an iterator.
std::string to_text(Runtime& runtime, const Value& value);
std::string to_repr(Runtime& runtime, const Value& value);

/// json.dumps.
struct JsonStyle {
  bool ensure_ascii = false;
  std::optional<std::string> indent;
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
};
std::string to_json(Runtime& runtime, const Value& value, const JsonStyle& style);

/// `format % arguments`, where a tuple has several arguments and a dict named ones.
Value percent_format(Runtime& runtime, std::string_view format, const Value& arguments);

}  // namespace specthink::jinja
