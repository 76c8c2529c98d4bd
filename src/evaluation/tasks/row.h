// A row of a problems file, with errors that name its place.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "specthink/base/json.h"

namespace specthink::inline evaluation {

class Row {
 public:
  /// Throws UserError for a line that is no JSON object. `source` is its file and line.
  Row(std::string_view line, std::string source);

  const std::string& source() const { return source_; }
  bool contains(const std::string& key) const { return object_.contains(key); }

  /// The field; `use` says in errors what for. Throws UserError when it is not there.
  const Json& field(const std::string& key, std::string_view use) const;

  /// Strings as they are, numbers as JSON writes them. Throws UserError for other values.
  std::string text(const std::string& key, std::string_view use) const;

  /// The same for a list of them.
  std::vector<std::string> texts(const std::string& key, std::string_view use) const;

  /// A string, empty for null or where the field is not there.
  std::string optional_text(const std::string& key) const;

  /// JSON that a string field holds; an empty object where that is blank or null.
  Json embedded_json(const std::string& key) const;

 private:
  Json object_;
  std::string source_;
};

}  // namespace specthink::inline evaluation
