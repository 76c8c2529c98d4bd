// Checked access to a parsed JSON file; errors name the file and the key.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "specthink/base/error.h"
#include "specthink/base/json.h"

namespace specthink::inline text {

/// A value inside a JSON document. The document and the source's name must outlive it.
class JsonView {
 public:
  JsonView(const Json& value, std::string_view source, std::string key = {})
      : value_(&value), source_(source), key_(std::move(key)) {}

  const Json& value() const { return *value_; }

  /// The member `name` of an object.
  JsonView at(std::string_view name) const {
    std::optional<JsonView> member = find(name);
    if (!member) fail("'{}' is missing", name);
    return *std::move(member);
  }

  /// As at, but nothing when the member is missing or null.
  std::optional<JsonView> find(std::string_view name) const {
    const auto member = object().find(name);
    if (member == value_->end() || member->is_null()) return std::nullopt;
    return JsonView(*member, source_, key_.empty() ? std::string(name) : fmt::format("{}.{}", key_, name));
  }

  const Json& object() const { return expect(value_->is_object(), "an object"); }
  const Json& list() const { return expect(value_->is_array(), "a list"); }

  std::vector<JsonView> elements() const {
    std::vector<JsonView> result;
    for (const Json& element : list()) {
      result.emplace_back(element, source_, fmt::format("{}[{}]", key_, result.size()));
    }
    return result;
  }

  const std::string& string() const { return expect(value_->is_string(), "a string").get_ref<const Json::string_t&>(); }

  bool boolean() const { return expect(value_->is_boolean(), "true or false").get<bool>(); }

  template <typename... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    const std::string what = fmt::format(format, std::forward<Args>(args)...);
    if (key_.empty()) throw UserError("{}: {}", source_, what);
    throw UserError("{}: {}: {}", source_, key_, what);
  }

 private:
  const Json& expect(bool fits, const char* what) const {
    if (!fits) fail("expected {}, found {}", what, value_->type_name());
    return *value_;
  }

  const Json* value_;
  std::string_view source_;
  std::string key_;
};

}  // namespace specthink::inline text
