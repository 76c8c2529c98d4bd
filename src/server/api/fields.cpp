#include "server/api/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "specthink/base/json.h"
#include "specthink/base/strings.h"

namespace specthink::inline server {
namespace {

std::string short_text(const OrderedJson& value) {
  return excerpt(Json::parse(value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace)));
}

}  // namespace

Fields::Fields(const OrderedJson& object, std::string path) : object_(object), path_(std::move(path)) {
  if (object_.is_object()) return;
  throw BadRequest{
      {400,
       fmt::format("{}: expected a JSON object, found {}", path_.empty() ? "the body" : path_, short_text(object_)),
       path_}};
}

const OrderedJson* Fields::find(const std::string& name) {
  known_.push_back(name);
  const auto field = object_.find(name);
  return field == object_.end() || field->is_null() ? nullptr : &*field;
}

void Fields::fail(const std::string& name, const std::string& expected) const {
  const auto field = object_.find(name);
  const std::string full = path_.empty() ? name : path_ + "." + name;
  throw BadRequest{{400,
                    fmt::format("'{}': expected {}, found {}", full, expected,
                                field == object_.end() ? "nothing" : short_text(*field)),
                    full}};
}

std::optional<std::string> Fields::text(const std::string& name) {
  const OrderedJson* field = find(name);
  if (!field) return std::nullopt;
  if (!field->is_string()) fail(name, "a text");
  return field->get<std::string>();
}

std::optional<bool> Fields::boolean(const std::string& name) {
  const OrderedJson* field = find(name);
  if (!field) return std::nullopt;
  if (!field->is_boolean()) fail(name, "true or false");
  return field->get<bool>();
}

std::optional<std::int64_t> Fields::integer(const std::string& name, std::int64_t min, std::int64_t max) {
  const OrderedJson* field = find(name);
  if (!field) return std::nullopt;
  const std::string expected = fmt::format("a whole number from {} to {}", min, max);
  if (!field->is_number()) fail(name, expected);
  if (field->is_number_float()) {  // as some clients write whole numbers
    const double value = field->get<double>();
    if (value != std::floor(value) || std::abs(value) > 9e15) fail(name, expected);
    const auto whole = static_cast<std::int64_t>(value);
    if (whole < min || whole > max) fail(name, expected);
    return whole;
  }
  if (field->is_number_unsigned() && field->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
    fail(name, expected);
  }
  const auto value = field->get<std::int64_t>();
  if (value < min || value > max) fail(name, expected);
  return value;
}

std::optional<double> Fields::number(const std::string& name, double min, double max) {
  const OrderedJson* field = find(name);
  if (!field) return std::nullopt;
  if (!field->is_number()) fail(name, fmt::format("a number from {} to {}", min, max));
  const auto value = field->get<double>();
  if (!std::isfinite(value) || value < min || value > max) fail(name, fmt::format("a number from {} to {}", min, max));
  return value;
}

const OrderedJson* Fields::object(const std::string& name) {
  const OrderedJson* field = find(name);
  if (field && !field->is_object()) fail(name, "an object");
  return field;
}

void Fields::refuse(const std::string& name, const std::vector<OrderedJson>& neutral, const std::string& why) {
  const OrderedJson* field = find(name);
  if (!field || std::ranges::find(neutral, *field) != neutral.end()) return;
  throw BadRequest{{400, fmt::format("'{}' is not supported: {}", name, why), name}};
}

void Fields::check_all_known() const {
  for (const auto& [name, value] : object_.items()) {
    if (std::ranges::find(known_, name) != known_.end()) continue;
    const std::string full = path_.empty() ? name : path_ + "." + name;
    throw BadRequest{
        {400, fmt::format("'{}' is not a field of this request{}", full, did_you_mean(name, known_)), full}};
  }
}

}  // namespace specthink::inline server
