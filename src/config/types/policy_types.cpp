#include "config/types/policy_types.h"

#include <algorithm>

#include "specthink/base/strings.h"
#include "specthink/config/policies.h"

namespace specthink::inline config {

std::vector<std::string> Cues::read(const YamlValue& value, const Location& location) const {
  if (value.kind == YamlValue::Kind::null) return {};
  if (const std::vector<std::string>* list = value.is_scalar() ? find_cues(value.text) : nullptr) return *list;
  if (value.is_scalar() && (location.in_file() || !value.text.starts_with('['))) {
    location.fail("qwen3, r1 or a list of texts", value);
  }
  return WordList().read(value, location);
}

Json Cues::write(const Value& value) const {
  if (value.empty()) return {};
  for (const char* name : {"qwen3", "r1"}) {
    if (value == *find_cues(name)) return name;
  }
  return value;
}

TargetRateType::Value TargetRateType::read(const YamlValue& value, const Location& location) const {
  if (value.kind == YamlValue::Kind::null) return std::nullopt;
  if (value.is_scalar() && value.text == "auto") return TargetRate{.automatic = true};
  const std::optional<double> probability = [&]() -> std::optional<double> {
    try {
      return Number{.min = 0, .max = 1}.read(value, location);
    } catch (const UserError&) {
      return std::nullopt;
    }
  }();
  if (!probability) location.fail("a probability from 0 to 1, or auto", value);
  return TargetRate{.probability = *probability};
}

Json TargetRateType::write(const Value& value) const {
  if (!value) return {};
  return value->automatic ? Json("auto") : Number().write(value->probability);
}

OptionalNumber::Value OptionalNumber::read(const YamlValue& value, const Location& location) const {
  if (value.kind == YamlValue::Kind::null) return std::nullopt;
  return Number{.min = min, .max = max}.read(value, location);
}

PolicyList::Value PolicyList::read(const YamlValue& value, const Location& location) const {
  std::vector<std::string> names;
  for (const Policy policy : kPolicies) names.emplace_back(config::name_of(policy));
  Value policies;
  for (const std::string& name : NameList{"POLICY"}.read(value, location)) {
    const std::optional<Policy> policy = find_policy(name);
    if (!policy) {
      throw UserError("{}: unknown policy {}{}, expected some of {}", location.subject(), quote(name),
                      did_you_mean(name, names), fmt::join(names, ", "));
    }
    if (std::ranges::find(policies, *policy) != policies.end()) {
      throw UserError("{}: policy {} is given twice", location.subject(), name);
    }
    policies.push_back(*policy);
  }
  return policies;
}

Json PolicyList::write(const Value& value) const {
  if (value.empty()) return {};
  Json names = Json::array();
  for (const Policy policy : value) names.push_back(config::name_of(policy));
  return names;
}

}  // namespace specthink::inline config
