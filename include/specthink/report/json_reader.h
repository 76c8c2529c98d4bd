// Reads the keys of a JSON object that somebody else may have written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "specthink/base/json.h"

namespace specthink::inline report {

/// Every mistake is a UserError that names the object and the key.
class JsonReader {
 public:
  static constexpr std::int64_t kMaxCount = std::int64_t{1} << 40;
  static constexpr double kMaxNumber = 1e12;  ///< of either sign

  /// `source` begins every error; `what` is how an error calls the object that lacks a key ("the run"). The object must
  /// outlive the reader. Throws UserError when it is none.
  JsonReader(const Json& object, std::string_view source, std::string_view what);

  bool has(const char* key) const { return object_.contains(key); }
  const Json& value(const char* key) const;  ///< of any type

  std::int64_t count(const char* key, std::int64_t max = kMaxCount) const;  ///< from 0
  std::optional<std::int64_t> optional_count(const char* key) const;             ///< none: it is missing or null
  double number(const char* key, double min = 0) const;
  std::string text(const char* key) const;
  const Json& list(const char* key) const;

  /// "SOURCE: expected EXPECTED in 'KEY', found ...".
  [[noreturn]] void fail(const char* key, std::string_view expected) const;

  const std::string& source() const { return source_; }

 private:
  const Json& object_;
  std::string source_;
  std::string what_;
};

}  // namespace specthink::inline report
