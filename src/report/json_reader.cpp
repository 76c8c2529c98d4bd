#include "specthink/report/json_reader.h"

#include "specthink/base/error.h"

namespace specthink::inline report {

JsonReader::JsonReader(const Json& object, std::string_view source, std::string_view what)
    : object_(object), source_(source), what_(what) {
  if (!object.is_object()) throw UserError("{}: expected a JSON object, found {}", source, excerpt(object));
}

const Json& JsonReader::value(const char* key) const {
  const auto found = object_.find(key);
  if (found == object_.end()) throw UserError("{}: {} has no key '{}'", source_, what_, key);
  return *found;
}

std::int64_t JsonReader::count(const char* key, std::int64_t max) const {
  const Json& json = value(key);
  // An unsigned value above the int64 range turns negative here, which is refused as well.
  const std::int64_t count = json.is_number_integer() ? json.get<std::int64_t>() : -1;
  if (count < 0 || count > max) fail(key, fmt::format("an integer from 0 to {}", max));
  return count;
}

std::optional<std::int64_t> JsonReader::optional_count(const char* key) const {
  if (!has(key) || value(key).is_null()) return std::nullopt;
  return count(key);
}

double JsonReader::number(const char* key, double min) const {
  const Json& json = value(key);
  if (!json.is_number()) fail(key, "a number");
  const double number = json.get<double>();
  if (!(number >= min && number <= kMaxNumber)) fail(key, fmt::format("a number from {} to {}", min, kMaxNumber));
  return number;
}

std::string JsonReader::text(const char* key) const {
  const Json& json = value(key);
  if (!json.is_string()) fail(key, "a string");
  return json.get<std::string>();
}

const Json& JsonReader::list(const char* key) const {
  const Json& json = value(key);
  if (!json.is_array()) fail(key, "a list");
  return json;
}

void JsonReader::fail(const char* key, std::string_view expected) const {
  throw UserError("{}: expected {} in '{}', found {}", source_, expected, key, excerpt(value(key)));
}

}  // namespace specthink::inline report
