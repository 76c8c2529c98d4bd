// Typed, checked access to the keys of a JSON object of a model folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "specthink/base/json.h"

namespace specthink::inline model {

/// A key that is missing counts like one that is null: both mean the fallback, or an error where there is none.
/// Every error is a UserError that names file, key, what was expected and what was found.
class ConfigReader {
 public:
  /// `prefix` is what the keys are nested under, "rope_scaling." for instance. Throws when `value` is no object.
  ConfigReader(const Json& value, std::string file, std::string prefix = "");

  const std::string& file() const { return file_; }

  bool contains(const std::string& key) const { return value_->contains(key); }  ///< null counts
  bool has(const std::string& key) const { return find(key) != nullptr; }        ///< null does not
  const Json* find(const std::string& key) const;                                ///< null when missing or null

  /// A reader for the object under `key`.
  ConfigReader object(const std::string& key) const;

  std::int64_t integer(const std::string& key, std::int64_t min, std::int64_t max,
                       std::optional<std::int64_t> fallback = {}) const;

  /// A finite number above `above`.
  double number_above(double above, const std::string& key, std::optional<double> fallback = {}) const;

  bool boolean(const std::string& key, bool fallback) const;
  std::string text(const std::string& key, const std::string& fallback) const;

  [[noreturn]] void fail(const std::string& key, const std::string& expected) const;  ///< "…, found <the value>"

 private:
  const Json* value_;
  std::string file_;
  std::string prefix_;
};

}  // namespace specthink::inline model
