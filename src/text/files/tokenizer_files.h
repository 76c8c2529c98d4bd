// What the files of a model folder say of its tokenizer, put together as transformers does it: tokenizer.json, or
// vocab.json and merges.txt; on top of it tokenizer_config.json and the older special_tokens_map.json and
// added_tokens.json.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "specthink/base/json.h"
#include "text/added_vocabulary.h"

namespace specthink::inline text {

struct TokenizerFiles {
  Json tokenizer;      ///< as a tokenizer.json has it
  std::string source;  ///< the file that it came from, for errors
  AddedTokenList added;
  std::vector<std::pair<std::string, std::string>> named;  ///< bos_token and others, with their text

  /// Throws UserError for files that are missing or malformed.
  static TokenizerFiles read(const std::filesystem::path& folder);

  /// As read, of a tokenizer.json and a tokenizer_config.json (may be empty) in memory.
  static TokenizerFiles parse(std::string_view tokenizer_json, std::string_view config_json, std::string_view source);
};

/// The named tokens alone; empty where no file names any.
std::vector<std::pair<std::string, std::string>> read_named_tokens(const std::filesystem::path& folder);

/// tokenizer_config.json, an empty object where there is none. Throws UserError.
nlohmann::ordered_json read_tokenizer_config(const std::filesystem::path& folder);

}  // namespace specthink::inline text
