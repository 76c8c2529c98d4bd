// The fields of a request's JSON object, each of which is asked for by name; what nobody has asked for is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/errors.h"
#include "specthink/text/chat_template.h"

namespace specthink::inline server {

/// Thrown for a request that cannot be answered.
struct BadRequest {
  ApiError error;
};

class Fields {
 public:
  /// `object` must outlive this. Throws BadRequest for what is no object.
  explicit Fields(const OrderedJson& object, std::string path = "");

  /// Null when the field is missing or null.
  const OrderedJson* find(const std::string& name);

  std::optional<std::string> text(const std::string& name);
  std::optional<bool> boolean(const std::string& name);
  std::optional<std::int64_t> integer(const std::string& name, std::int64_t min, std::int64_t max);
  std::optional<double> number(const std::string& name, double min, double max);
  const OrderedJson* object(const std::string& name);

  /// Is accepted without effect.
  void ignore(const std::string& name) { find(name); }

  /// Throws BadRequest when the field has a value that would change something.
  void refuse(const std::string& name, const std::vector<OrderedJson>& neutral, const std::string& why);

  /// Throws BadRequest for a field that was not asked for.
  void check_all_known() const;

  [[noreturn]] void fail(const std::string& name, const std::string& expected) const;

 private:
  const OrderedJson& object_;
  std::string path_;
  std::vector<std::string> known_;
};

}  // namespace specthink::inline server
