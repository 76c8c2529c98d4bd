// What a GGUF file's metadata say in the words of a Hugging Face folder.
#pragma once

#include <string>

#include "model/gguf/gguf_file.h"

namespace specthink::inline model::gguf {

/// config.json. Throws UserError for an architecture, or a setting of it, that is not supported, and for keys that are
/// missing.
Json model_config(const GgufFile& file);

/// generation_config.json: the ids that end a text.
Json generation_config(const GgufFile& file);

/// tokenizer.json. Throws UserError for a kind of tokenizer that is not supported, and for lists that do not fit
/// together.
Json tokenizer(const GgufFile& file);

/// tokenizer_config.json, with the chat template.
Json tokenizer_config(const GgufFile& file);

/// A tensor's name in a Hugging Face folder; empty for what is no weight there. Throws UserError for a tensor that a
/// model of this architecture does not have.
std::string weight_name(const GgufFile& file, const std::string& name);

/// The value under `key`; null when there is none. Strings for text, and so on: throws UserError naming key, expected
/// and found.
const Json* find_value(const GgufFile& file, const std::string& key);
std::string require_text(const GgufFile& file, const std::string& key);
std::string architecture(const GgufFile& file);

}  // namespace specthink::inline model::gguf
