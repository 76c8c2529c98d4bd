#include "config/json_object.h"

#include <cstdint>
#include <cstdlib>

namespace specthink::inline config {
namespace {

Json number_of(const std::string& text) {
  const Json number = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return number.is_number() ? number : Json(std::strtod(text.c_str(), nullptr));
}

// As YAML 1.2 types plain scalars.
Json as_json(const YamlValue& value) {
  switch (value.kind) {
    case YamlValue::Kind::null:
      return nullptr;
    case YamlValue::Kind::quoted:
      return value.text;
    case YamlValue::Kind::plain:
      if (is_plain_boolean(value.text)) return value.text[0] == 't' || value.text[0] == 'T';
      return is_plain_number(value.text) ? number_of(value.text) : Json(value.text);
    case YamlValue::Kind::list: {
      Json list = Json::array();
      for (const YamlValue& item : value.items) list.push_back(as_json(item));
      return list;
    }
    case YamlValue::Kind::map: {
      Json map = Json::object();
      for (const YamlValue& item : value.items) map[item.key] = as_json(item);
      return map;
    }
  }
  return nullptr;
}

}  // namespace

std::string JsonObject::read(const YamlValue& value, const Location& location) const {
  if (value.kind == YamlValue::Kind::null) return "";
  if (value.kind == YamlValue::Kind::map) return as_json(value).dump();
  if (value.is_scalar()) {
    const Json object = parse_json(value.text, location.subject());
    if (object.is_object()) return object.dump();
  }
  location.fail("a JSON object such as {\"enable_thinking\": false}", value);
}

Json JsonObject::write(const std::string& value) const { return value.empty() ? Json() : Json::parse(value); }

}  // namespace specthink::inline config
