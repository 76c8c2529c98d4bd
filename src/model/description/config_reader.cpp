#include "model/description/config_reader.h"

#include <cmath>
#include <utility>

#include "specthink/base/error.h"
#include "specthink/base/strings.h"

namespace specthink::inline model {

ConfigReader::ConfigReader(const Json& value, std::string file, std::string prefix)
    : value_(&value), file_(std::move(file)), prefix_(std::move(prefix)) {
  if (!value.is_object()) throw UserError("{}: expected a JSON object, found {}", file_, excerpt(value));
}

const Json* ConfigReader::find(const std::string& key) const {
  const auto it = value_->find(key);
  return it == value_->end() || it->is_null() ? nullptr : &*it;
}

ConfigReader ConfigReader::object(const std::string& key) const {
  const Json* value = find(key);
  if (!value || !value->is_object()) fail(key, "an object");
  return ConfigReader(*value, file_, prefix_ + key + ".");
}

std::int64_t ConfigReader::integer(const std::string& key, std::int64_t min, std::int64_t max,
                                   std::optional<std::int64_t> fallback) const {
  const Json* value = find(key);
  if (!value && fallback) return *fallback;
  const bool fits = value && value->is_number_integer() &&
                    (!value->is_number_unsigned() || value->get<std::uint64_t>() <= static_cast<std::uint64_t>(max)) &&
                    value->get<std::int64_t>() >= min && value->get<std::int64_t>() <= max;
  if (!fits) fail(key, fmt::format("an integer from {} to {}", min, max));
  return value->get<std::int64_t>();
}

double ConfigReader::number_above(double above, const std::string& key, std::optional<double> fallback) const {
  const Json* value = find(key);
  if (!value && fallback) return *fallback;
  if (!value || !value->is_number() || !std::isfinite(value->get<double>()) || value->get<double>() <= above) {
    fail(key, fmt::format("a number above {}", above));
  }
  return value->get<double>();
}

bool ConfigReader::boolean(const std::string& key, bool fallback) const {
  const Json* value = find(key);
  if (!value) return fallback;
  if (!value->is_boolean()) fail(key, "true or false");
  return value->get<bool>();
}

std::string ConfigReader::text(const std::string& key, const std::string& fallback) const {
  const Json* value = find(key);
  if (!value) return fallback;
  if (!value->is_string()) fail(key, "a string");
  return value->get<std::string>();
}

void ConfigReader::fail(const std::string& key, const std::string& expected) const {
  const auto it = value_->find(key);
  const std::string found = it == value_->end() ? "no such key" : excerpt(*it);
  throw UserError("{}: {}{}: expected {}, found {} (correct the file, or download the model again)", file_, prefix_,
                  key, expected, found);
}

}  // namespace specthink::inline model
