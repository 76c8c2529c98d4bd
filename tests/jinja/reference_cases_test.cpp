// Generated templates against what transformers makes of them (data/make_reference_cases.py).
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "jinja/rendering.h"

namespace specthink::jinja {
namespace {

using OrderedJson = nlohmann::ordered_json;

Value to_value(const OrderedJson& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number_float()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_array()) {
    Values items;
    for (const OrderedJson& item : json) items.push_back(to_value(item));
    return Value::list(std::move(items));
  }
  if (!json.is_object()) return Value();
  Entries entries;
  for (const auto& [key, value] : json.items()) entries.emplace_back(key, to_value(value));
  return Value::dict(std::move(entries));
}

std::optional<std::string> rendered(const std::string& source, const Variables& variables) {
  try {
    return Template(source).render(variables);
  } catch (const TemplateError&) {
    return std::nullopt;
  }
}

TEST(reference_cases, render_as_in_transformers) {
  const char* source = std::getenv("SPECTHINK_SOURCE_DIR");
  std::ifstream file(std::filesystem::path(source ? source : ".") / "tests/jinja/data/reference_cases.jsonl");
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  Variables variables;
  const auto given = OrderedJson::parse(line);
  for (const auto& [name, value] : given.items()) variables.emplace_back(name, to_value(value));
  std::size_t checked = 0;
  for (; std::getline(file, line); ++checked) {
    const auto item = OrderedJson::parse(line);
    const auto text = item[0].get<std::string>();
    const auto expected = item[1].is_null() ? std::nullopt : std::optional(item[1].get<std::string>());
    EXPECT_EQ(rendered(text, variables), expected) << text;
  }
  fmt::print("checked {} templates\n", checked);
  EXPECT_GT(checked, 1000u);
}

}  // namespace
}  // namespace specthink::jinja
