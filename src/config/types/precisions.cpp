#include <algorithm>
#include <iterator>

#include "config/types/value_types.h"

namespace specthink::inline config {
namespace {

constexpr const char* kNames[] = {"auto", "bf16", "fp8"};  // by WeightPrecision

}  // namespace

Precisions::Value Precisions::read(const YamlValue& value, const Location& location) const {
  const char* const expected = "one or two of bf16, fp8 and auto, T[,D] for target and draft";
  const std::vector<std::string> names = NameList{}.read(value, location);
  if (names.empty() || names.size() > 2) location.fail(expected, value);
  Value precisions{};
  for (std::size_t i = 0; i < precisions.size(); ++i) {
    const std::string& name = names[std::min(i, names.size() - 1)];
    const auto* const found = std::ranges::find(kNames, name);
    if (found == std::end(kNames)) location.fail(expected, value);
    precisions[i] = static_cast<WeightPrecision>(found - std::begin(kNames));
  }
  return precisions;
}

Json Precisions::write(const Value& value) const {
  return {kNames[static_cast<std::size_t>(value[0])], kNames[static_cast<std::size_t>(value[1])]};
}

}  // namespace specthink::inline config
