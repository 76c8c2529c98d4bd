// A setting that is a JSON object.
#pragma once

#include <string>

#include "config/types/value_types.h"

namespace specthink::inline config {

/// A map in a file, JSON text elsewhere. Settings hold it as JSON on one line, empty for none.
struct JsonObject {
  using Value = std::string;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(const Value& value) const;
  std::string metavar() const { return "JSON"; }
  std::string range() const { return ""; }
};

}  // namespace specthink::inline config
