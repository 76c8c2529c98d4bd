// Values as text: str(), repr() and JSON, as Python writes them.
#pragma once

#include <optional>
#include <string>

#include "jinja/runtime.h"
#include "specthink/jinja/value.h"

namespace specthink::jinja {

/// str(value); empty for undefined. Throws TemplateError for what has no fixed text, such as a generator.
std::string to_text(Runtime& runtime, const Value& value);
std::string to_repr(Runtime& runtime, const Value& value);

/// `format % given` of str: given is a tuple, a dict or a value.
std::string format_text(Runtime& runtime, const std::string& format, const Value& given);

/// json.dumps.
struct JsonStyle {
  bool ensure_ascii = false;
  std::optional<std::string> indent;
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sorts_keys = false;
};
std::string to_json(Runtime& runtime, const Value& value, const JsonStyle& style);

}  // namespace specthink::jinja
