// System prompts and user templates by model, as the original's model_configs.yaml has them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace specthink::inline evaluation {

struct ModelPrompts {
  std::optional<std::string> system_prompt;
  std::optional<std::string> user_template;  ///< `{}` stands for the message

  /// The message in its template.
  std::string user_message(const std::string& message) const;
};

/// The file itself when `named` is not empty, else the first that exists of `data_dir`/model_configs.yaml and
/// `data_dir`/original/model_configs.yaml. Throws UserError that says how to point to it.
std::filesystem::path find_model_configs(const std::string& named, const std::filesystem::path& data_dir);

/// What the file says of a model, by its hub name or the last part of its folder. A model that is not in it has
/// neither, with a warning. Throws UserError with file and line, also for a prompt's file that is not there.
ModelPrompts prompts_of_model(const std::filesystem::path& file, std::string_view model);

/// The system prompt of that name in the file. Throws UserError; for a name that is not there, with the names that are.
std::string system_prompt_named(const std::filesystem::path& file, const std::string& name);

}  // namespace specthink::inline evaluation
