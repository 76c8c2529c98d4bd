// Where a model lives: a folder, or a hub name in the local hub cache.
#pragma once

#include <filesystem>
#include <string>

namespace specthink::inline model {

/// A folder is returned as it is. A hub name such as Qwen/Qwen3-32B resolves to its snapshot in the cache
/// (HF_HUB_CACHE, else HF_HOME/hub, else XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub; the revision
/// in refs/main). Nothing is downloaded: throws UserError with the command that does.
///
/// The folder must hold `needed`, the file without which the caller can do nothing with it: config.json for a model,
/// tokenizer.json where only the tokenizer is used. Throws UserError naming folder and file otherwise.
std::filesystem::path resolve_model(const std::string& name_or_folder, const std::string& needed = "config.json");

}  // namespace specthink::inline model
