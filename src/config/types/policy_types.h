// Types of settings of the policies; what a type has is said in value_types.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/types/value_types.h"

namespace specthink::inline config {

/// A list of the paper by name, or texts as WordList reads them.
struct Cues {
  using Value = std::vector<std::string>;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(const Value& value) const;
  std::string metavar() const { return "qwen3|r1|LIST"; }
  std::string range() const { return ""; }
};

/// A probability, or auto.
struct TargetRateType {
  using Value = std::optional<TargetRate>;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(const Value& value) const;
  std::string metavar() const { return "X|auto"; }
  std::string range() const { return "0 to 1"; }
};

/// A number that need not be given.
struct OptionalNumber {
  double min = 0;
  double max = 1e6;

  using Value = std::optional<double>;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(const Value& value) const { return value ? Number().write(*value) : Json(); }
  std::string metavar() const { return "X"; }
  std::string range() const { return Number{.min = min, .max = max}.range(); }
};

/// Policies, each once: a,b,c or a YAML list.
struct PolicyList {
  using Value = std::vector<Policy>;
  Value read(const YamlValue& value, const Location& location) const;
  Json write(const Value& value) const;
  std::string metavar() const { return "POLICY,..."; }
  std::string range() const { return ""; }
};

}  // namespace specthink::inline config
