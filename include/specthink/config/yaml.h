// YAML from untrusted sources as a plain tree that knows the line of everything in it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "specthink/base/json.h"

namespace specthink::inline config {

/// A node of a document. Anchors are resolved; no key stands twice in one map.
struct YamlValue {
  enum class Kind {
    null,    ///< nothing, `~` or `null`
    plain,   ///< a scalar without quotes: a number, a boolean or a word, as the reader of the key decides
    quoted,  ///< a scalar that is text: in quotes, a block (`|`, `>`), or tagged !!str
    list,
    map,
  };

  Kind kind = Kind::null;
  std::string text;              ///< what a scalar holds
  std::vector<YamlValue> items;  ///< what a list or a map holds, in file order
  int line = 0;                  ///< from 1
  std::string key;               ///< what an item of a map is called
  int key_line = 0;

  bool is_scalar() const { return kind == Kind::plain || kind == Kind::quoted; }

  /// The item of a map with this key, or null.
  const YamlValue* find(std::string_view wanted) const;

  /// For errors: `20`, `the text "20"`, `a list`, `a map`, `null`.
  std::string describe() const;
};

/// Parses one document; an empty one is null. `source` names the text in errors. Throws UserError with source and line
/// for text that is no YAML or no UTF-8, a key that is given twice (with both lines), keys that are no text, a second
/// document, unknown tags, and nesting or aliases that grow out of proportion.
YamlValue parse_yaml(std::string_view text, std::string_view source);

/// Reads and parses a file of at most 1 MiB. Throws UserError.
YamlValue read_yaml(const std::filesystem::path& path);

/// Whether a plain scalar is a number, or true or false, in YAML 1.2: no text unless it is quoted. `yes`, `no`, `on`
/// and `off` are text there.
bool is_plain_number(std::string_view text);
bool is_plain_boolean(std::string_view text);

/// `value` on one line as YAML in flow style, which is also JSON: {"a": [1, 2]}.
std::string to_flow_yaml(const Json& value);

/// `text` in double quotes on one line, cut after `max_bytes`: for errors that quote what was found.
std::string quote(std::string_view text, std::size_t max_bytes = 60);

}  // namespace specthink::inline config
