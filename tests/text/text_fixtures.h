// Where the tests of this module find their data.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "shared_data.h"
#include "specthink/base/error.h"
#include "specthink/base/json.h"
#include "specthink/text/tokenizer.h"

namespace specthink::testing {

inline std::filesystem::path folder_from(const char* variable, const char* otherwise) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

using testing_support::own_data;
using testing_support::shared_data;

/// tests/text/data, written by make_fixtures.py there.
inline std::filesystem::path fixtures() { return folder_from("SPECTHINK_SOURCE_DIR", ".") / "tests/text/data"; }

inline std::vector<Json> read_lines(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw UserError("cannot open {}", path.string());
  std::vector<Json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
  return lines;
}

/// One of the fixtures' tokenizers: gpt2_style, llama_style or added_tokens.
inline Json tokenizer_json(const std::string& name) { return read_json(fixtures() / "tokenizers" / (name + ".json")); }

inline Tokenizer parse_tokenizer(const Json& json, const std::string& config = "") {
  return Tokenizer::parse(json.dump(), config, "tokenizer.json");
}

/// The message of the UserError that `action` throws; fails the test otherwise.
template <typename Action>
std::string user_error(Action&& action) {
  try {
    action();
  } catch (const UserError& error) {
    return error.what();
  }
  throw std::logic_error("expected a UserError");
}

}  // namespace specthink::testing
