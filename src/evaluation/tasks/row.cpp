#include "evaluation/tasks/row.h"

#include <fmt/format.h>

#include <utility>

#include "specthink/base/error.h"

namespace specthink::inline evaluation {

Row::Row(std::string_view line, std::string source) : object_(parse_json(line, source)), source_(std::move(source)) {
  if (!object_.is_object()) {
    throw UserError("{}: expected a JSON object with a problem, found {}", source_, excerpt(object_));
  }
}

const Json& Row::field(const std::string& key, std::string_view use) const {
  const auto found = object_.find(key);
  if (found != object_.end()) return *found;
  std::vector<std::string> keys;
  for (const auto& [name, value] : object_.items()) keys.push_back(name);
  throw UserError("{}: the problem has no field '{}' ({}), only {}", source_, key, use,
                  keys.empty() ? "{}" : fmt::format("{}", fmt::join(keys, ", ")));
}

std::string Row::text(const std::string& key, std::string_view use) const {
  const Json& value = field(key, use);
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number()) return value.dump();
  throw UserError("{}: expected a string or a number in the field '{}' ({}), found {}", source_, key, use,
                  excerpt(value));
}

std::vector<std::string> Row::texts(const std::string& key, std::string_view use) const {
  const Json& list = field(key, use);
  std::vector<std::string> texts;
  for (const Json& item : list.is_array() ? list : Json::array()) {
    if (!item.is_string() && !item.is_number()) break;
    texts.push_back(item.is_string() ? item.get<std::string>() : item.dump());
  }
  if (texts.empty() || texts.size() != list.size()) {
    throw UserError("{}: expected a list of texts in the field '{}' ({}), found {}", source_, key, use, excerpt(list));
  }
  return texts;
}

std::string Row::optional_text(const std::string& key) const {
  const auto found = object_.find(key);
  if (found == object_.end() || found->is_null()) return "";
  return text(key, "an optional text");
}

Json Row::embedded_json(const std::string& key) const {
  const std::string text = optional_text(key);
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return Json::object();
  return parse_json(text, fmt::format("{}: field '{}'", source_, key));
}

}  // namespace specthink::inline evaluation
