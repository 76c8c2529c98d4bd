// JSON files from untrusted sources, with errors that name the file and the byte.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace specthink::inline base {

using Json = nlohmann::json;

/// Parses `text`; `source` names it in errors. Throws UserError with the byte offset of the first mistake, also for
/// invalid UTF-8 and for nesting deeper than 256 levels. What Python's json writes besides is read too: see
/// strict_json().
Json parse_json(std::string_view text, std::string_view source);

/// JSON as Python writes it, as JSON: NaN, Infinity and -Infinity become strings (so that who needs a number says so),
/// and half of a surrogate pair becomes U+FFFD.
std::string strict_json(std::string_view text);

/// Reads and parses a file. Throws UserError.
Json read_json(const std::filesystem::path& path);

/// An untrusted value as JSON text on one line, cut to a length that fits a message.
std::string excerpt(const Json& value);

}  // namespace specthink::inline base
