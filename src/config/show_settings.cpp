#include <algorithm>

#include "config/option_table.h"
#include "specthink/config/options.h"
#include "specthink/config/policies.h"

namespace specthink::inline config {

using namespace config;

namespace {

std::vector<ResolvedOption> shown_options(const Invocation& invocation) {
  std::vector<ResolvedOption> shown;
  for (const ResolvedOption& option : invocation.options) {
    const Option* row = find_option(option.key);
    if (row->belongs_to(kConfig) && row->group != Group::output) shown.push_back(option);
  }
  return shown;
}

/// Whether a setting can make a difference here: files of the one policy that there was once have no others' keys.
bool matters(const Option& option, const ScheduleSettings& schedule) {
  if (option.key == "policy") return schedule.policy != Policy::sentiment;
  if (option.key.starts_with("thinking_budget")) return schedule.thinking_budget > 0;
  return uses_key(schedule.policy, option.key);
}

// A file's name may hold anything; a comment is one line of valid text.
std::string comment(const std::string& source) {
  const std::string quoted = quote(source, source.size());
  return quoted == '"' + source + '"' ? source : quoted;
}

}  // namespace

Json settings_that_affect(Affects what, const Invocation& invocation) {
  Json settings = Json::object();
  for (const ResolvedOption& option : invocation.options) {
    const Option* row = find_option(option.key);
    const bool affects = row->affects == Affects::tokens || (row->affects == Affects::times && what == Affects::times);
    if (affects && row->belongs_to(invocation.subcommand) && matters(*row, invocation.settings.schedule))
      settings[option.key] = parse_json(option.value, option.key);
  }
  return settings;
}

Json with_current_words(Json settings) {
  for (const auto& [key, value] : settings.items()) {
    const Option* option = find_option(key);
    if (!option || !option->current_word || !(value.is_string() || value.is_boolean())) continue;
    const std::string given = value.is_string() ? value.get<std::string>() : value.dump();  // once a switch
    if (const std::string word = option->current_word(given); word != given) value = word;
  }
  return settings;
}

std::string settings_as_yaml(const Invocation& invocation) {
  std::string yaml;
  for (const ResolvedOption& option : shown_options(invocation)) {
    yaml += fmt::format("{}: {}  # {}\n", option.key, option.value, comment(option.source));
  }
  return yaml;
}

Json settings_as_json(const Invocation& invocation) {
  Json settings = Json::object();
  for (const ResolvedOption& option : shown_options(invocation)) {
    settings[option.key] = {{"value", parse_json(option.value, option.key)}, {"source", option.source}};
  }
  return {{"settings", settings}};
}

}  // namespace specthink::inline config
