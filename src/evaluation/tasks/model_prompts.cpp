#include "specthink/evaluation/model_prompts.h"

#include <fmt/format.h>

#include <system_error>
#include <vector>

#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/log.h"
#include "specthink/base/strings.h"
#include "specthink/config/yaml.h"

namespace specthink::inline evaluation {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSlot = "{}";

std::string place(const fs::path& file, const YamlValue& item) {
  return fmt::format("{}:{}", file.string(), item.key_line);
}

const YamlValue& require_map(const YamlValue& root, const char* key, const fs::path& file) {
  const YamlValue* map = root.kind == YamlValue::Kind::map ? root.find(key) : nullptr;
  if (!map || map->kind != YamlValue::Kind::map) throw UserError("{}: expected a map '{}'", file.string(), key);
  return *map;
}

// Text, or {path: FILE} relative to the folder of the configuration.
std::optional<std::string> prompt_text(const YamlValue& item, const fs::path& file) {
  if (item.kind == YamlValue::Kind::null) return std::nullopt;
  if (item.is_scalar()) return item.text;
  const YamlValue* path = item.kind == YamlValue::Kind::map ? item.find("path") : nullptr;
  if (!path || !path->is_scalar()) {
    throw UserError("{}: expected text or {{path: FILE}} in '{}', found {}", place(file, item), item.key,
                    item.describe());
  }
  const fs::path prompt = file.parent_path() / path->text;
  std::error_code ignored;
  if (!fs::is_regular_file(prompt, ignored)) {
    throw UserError("{}: the prompt '{}' names the file {}, which is not there", place(file, item), item.key,
                    prompt.string());
  }
  return read_file(prompt);
}

std::string_view last_part(std::string_view name) {
  while (name.size() > 1 && name.back() == '/') name.remove_suffix(1);
  const std::size_t slash = name.rfind('/');
  return slash == std::string_view::npos ? name : name.substr(slash + 1);
}

}  // namespace

std::string ModelPrompts::user_message(const std::string& message) const {
  if (!user_template) return message;
  const std::size_t slot = user_template->find(kSlot);
  return user_template->substr(0, slot) + message + user_template->substr(slot + kSlot.size());
}

fs::path find_model_configs(const std::string& named, const fs::path& data_dir) {
  if (!named.empty()) return named;
  constexpr const char* kName = "model_configs.yaml";
  std::error_code ignored;
  for (const fs::path& folder : {data_dir, data_dir / "original"}) {
    if (!data_dir.empty() && fs::exists(folder / kName, ignored)) return folder / kName;
  }
  throw UserError("the original's prompts by model need its {}: point to it with --model-configs FILE", kName);
}

ModelPrompts prompts_of_model(const fs::path& file, std::string_view model) {
  const YamlValue root = read_yaml(file);
  const YamlValue* found = nullptr;
  for (const YamlValue& item : require_map(root, "models", file).items) {
    if (item.key == model || (!found && last_part(item.key) == last_part(model))) found = &item;
    if (item.key == model) break;
  }
  ModelPrompts prompts;
  if (!found) {
    spdlog::warn("{}: no prompts for the model {}: none are used", file.string(), model);
    return prompts;
  }
  if (found->kind != YamlValue::Kind::map) {
    throw UserError("{}: expected a map in '{}', found {}", place(file, *found), found->key, found->describe());
  }
  if (const YamlValue* system = found->find("system_prompt")) prompts.system_prompt = prompt_text(*system, file);
  if (const YamlValue* user = found->find("user_template")) prompts.user_template = prompt_text(*user, file);
  if (prompts.user_template && prompts.user_template->find(kSlot) == std::string::npos) {
    throw UserError("{}: the user template of '{}' has no {{}} for the message", place(file, *found), found->key);
  }
  return prompts;
}

std::string system_prompt_named(const fs::path& file, const std::string& name) {
  const YamlValue root = read_yaml(file);
  const YamlValue& prompts = require_map(root, "system_prompts", file);
  const YamlValue* found = prompts.find(name);
  const auto text = found ? prompt_text(*found, file) : std::nullopt;
  if (text) return *text;
  std::vector<std::string> names;
  for (const YamlValue& item : prompts.items) names.push_back(item.key);
  throw UserError("{}: no system prompt '{}'{}; it has {}", file.string(), name, did_you_mean(name, names),
                  fmt::join(names, ", "));
}

}  // namespace specthink::inline evaluation
