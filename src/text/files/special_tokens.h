// The tokens that have names (bos_token and others) or flags outside of tokenizer.json.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "specthink/base/json.h"
#include "text/added_vocabulary.h"

namespace specthink::inline text {

using OrderedJson = nlohmann::ordered_json;

/// The files, as parsed; null where there is none. `tokenizer` is that of tokenizer.json.
struct SpecialTokenFiles {
  OrderedJson config;
  OrderedJson special_tokens_map;
  OrderedJson added_tokens;
  const Json* tokenizer = nullptr;
  std::string folder;  ///< for errors
};

struct SpecialTokens {
  AddedTokenList added;
  std::vector<std::pair<std::string, std::string>> named;  ///< name and text, as templates see them
};

/// As transformers reads them: with added_tokens_decoder in tokenizer_config.json that file alone counts; without it
/// special_tokens_map.json overrides names, and added_tokens.json declares tokens. Throws UserError.
SpecialTokens read_special_tokens(const SpecialTokenFiles& files);

}  // namespace specthink::inline text
