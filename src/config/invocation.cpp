#include <algorithm>

#include "config/command_line.h"
#include "config/help.h"
#include "config/option_table.h"
#include "specthink/config/options.h"
#include "specthink/config/policies.h"

namespace specthink::inline config {

using namespace config;

namespace {

// Settings with the place each came from; later readings replace earlier ones.
class Resolver {
 public:
  Resolver()
      : sources_(option_table().size(), "default"), from_file_(option_table().size()), settings_(default_settings()) {}

  void read_file(const std::filesystem::path& path) {
    const YamlValue root = read_yaml(path);
    if (root.kind == YamlValue::Kind::null) return;
    if (root.kind != YamlValue::Kind::map) {
      throw UserError("{}:{}: expected settings (key: value), found {}", path.string(), root.line, root.describe());
    }
    for (const YamlValue& item : root.items) {
      const Option* option = find_option(item.key);
      if (!option) {
        throw UserError("{}:{}: unknown key {}{}; 'specthink config' lists the keys", path.string(), item.key_line,
                        quote(item.key), suggest_key(item.key));
      }
      read(*option, item, Location::in_yaml(path, item.key_line, item.key));
    }
  }

  void read_environment(const Environment& environment) {
    for (const Option& option : option_table()) {
      const char* text = environment(option.environment.c_str());
      if (text && *text) read_text(option, text, Location::in_environment(option.environment));
    }
  }

  void read_flags(const std::vector<GivenFlag>& flags) {
    for (const GivenFlag& flag : flags) read_text(*flag.option, flag.text, flag.location);
  }

  // Of the settings only the format counts.
  static VersionRequest version_request(const CommandLine& line) {
    Resolver resolver;
    for (const GivenFlag& flag : line.flags) {
      if (flag.option->key == "format") resolver.read_flags({flag});
    }
    const Format format = resolver.settings_.format;
    if (format == Format::jsonl || format == Format::markdown) {
      throw UserError("{}: expected text or json for --version", resolver.source(*find_option("format")));
    }
    return {format == Format::json};
  }

  // Settings that exclude each other.
  void check(const CommandInfo& command) const {
    std::vector<std::string> inputs;
    for (const char* key : {"prompt", "prompt_file", "prompt_ids", "messages"}) {
      const Option* option = find_option(key);
      const bool is_set = !option->write(settings_).is_null();
      if (is_set && option->belongs_to(command.bit)) inputs.push_back(source(*option));
    }
    if (inputs.size() > 1) {
      throw UserError("expected one input for '{}', found {} ({}); leave out all but one", command.name, inputs.size(),
                      fmt::join(inputs, ", "));
    }
    const auto require_format = [&](Format format, const char* word, Subcommand only, const char* its_name) {
      if (settings_.format != format || command.bit == only) return;
      throw UserError("{}: {} is a format of '{}' only, expected text or json for '{}'", source(*find_option("format")),
                      word, its_name, command.name);
    };
    require_format(Format::jsonl, "jsonl", kTokenize, "tokenize");
    require_format(Format::markdown, "markdown", kReport, "report");
  }

  // What belongs to a policy is there for it, and nothing that none of the chosen ones uses. Returns the keys of a file
  // that none uses: those of the policy that old files are about stand in all of them.
  std::vector<std::string> check_policies(const CommandInfo& command) const {
    if (!find_option("policy")->belongs_to(command.bit)) return {};
    const bool compares = command.bit == kBench && !settings_.bench.policies.empty();
    const std::vector<Policy> chosen =
        compares ? settings_.bench.policies : std::vector<Policy>{settings_.schedule.policy};
    const std::string& by = source(*find_option(compares ? "policies" : "policy"));
    if (compares && source(*find_option("policy")).starts_with("flag")) {
      throw UserError("flag --policy and {} are both given; leave out one of them", by);
    }
    for (const Policy policy : chosen) check_policy(policy, by);
    check_budget(chosen);
    std::vector<std::string> idle;
    for (const Option& option : option_table()) {
      if (source(option) == "default") continue;
      if (std::ranges::any_of(chosen, [&](Policy policy) { return uses_key(policy, option.key); })) continue;
      if (from_file_[index(option)]) {
        idle.push_back(option.key);
        continue;
      }
      throw UserError("{}: {} belongs to policy {}, which is not chosen; leave it out, or choose that with --policy",
                      source(option), option.key, names_of(policies_of_key(option.key)));
    }
    return idle;
  }

  // The same variable of the chat template, set in two ways.
  void check_thinking() const {
    const std::string& text = settings_.evaluation.chat_template_kwargs;
    if (text.empty()) return;
    const Json kwargs = Json::parse(text);
    for (const char* key : kReservedTemplateVariables) {
      if (kwargs.contains(key)) {
        throw UserError("{}: '{}' is not for the user to set", source(*find_option("chat_template_kwargs")), key);
      }
    }
    const auto thinking = kwargs.find("enable_thinking");
    const std::string given = source(*find_option("thinking"));
    if (thinking == kwargs.end() || given == "default" || *thinking == settings_.generate.thinking) return;
    throw UserError("{} says enable_thinking: {}, {} says {}; leave out one of them",
                    source(*find_option("chat_template_kwargs")), thinking->dump(), given, settings_.generate.thinking);
  }

  Invocation finish(const CommandLine& line) const {
    const CommandInfo& command = *line.command;
    Invocation invocation{command.bit, command.runs_on,        command.name, settings_, line.config.value_or(""),
                          {},          check_policies(command)};
    for (const Option& option : option_table()) {
      invocation.options.push_back({option.key, to_flow_yaml(option.write(settings_)), source(option)});
    }
    return invocation;
  }

 private:
  static std::string names_of(const std::vector<Policy>& policies) {
    std::string names;
    for (const Policy policy : policies) names += (names.empty() ? "" : " or ") + std::string(name_of(policy));
    return names;
  }

  void require_fixed_loop(const std::string& what) const {
    if (settings_.schedule.mode != Mode::vllm) {
      throw UserError("{} needs mode: vllm, found another one ({}): choose that, or policy sentiment", what,
                      source(*find_option("mode")));
    }
    if (settings_.schedule.compat != Compat::fixed) {
      throw UserError("{} needs compat: fixed, found original ({}): choose that, or policy sentiment", what,
                      source(*find_option("compat")));
    }
  }

  void check_policy(Policy policy, const std::string& by) const {
    if (policy == Policy::sentiment) return;
    const ScheduleSettings& schedule = settings_.schedule;
    require_fixed_loop(fmt::format("{}: policy {}", by, name_of(policy)));
    if (policy == Policy::relay && schedule.cues.empty()) {
      throw UserError(
          "{}: policy relay needs cues, found none: cues: qwen3 and cues: r1 (--cues) are the lists of its paper, "
          "others are a list of texts",
          by);
    }
    if (policy != Policy::random) return;
    if (!schedule.target_rate) {
      throw UserError(
          "{}: policy random needs target_rate, found none: a probability from 0 to 1, or auto with match_share", by);
    }
    if (schedule.target_rate->automatic == schedule.match_share.empty()) {
      throw UserError("{}: target_rate: auto and match_share go together, found only {}", by,
                      schedule.match_share.empty() ? "target_rate: auto; name a result file with --match-share"
                                                   : "match_share; leave it out, or set target_rate: auto");
    }
  }

  void check_budget(const std::vector<Policy>& chosen) const {
    const bool has_sentiment = std::ranges::find(chosen, Policy::sentiment) != chosen.end();
    if (settings_.schedule.thinking_budget == 0 || !has_sentiment || !settings_.models.draft) return;
    require_fixed_loop(source(*find_option("thinking_budget")) + ": thinking_budget");
  }

  void read_text(const Option& option, const std::string& text, const Location& location) {
    YamlValue value;
    value.kind = YamlValue::Kind::plain;
    value.text = text;
    read(option, value, location);
  }

  void read(const Option& option, const YamlValue& value, const Location& location) {
    option.read(settings_, value, location);
    sources_[index(option)] = location.source();
    from_file_[index(option)] = location.in_file();
  }

  static std::size_t index(const Option& option) { return static_cast<std::size_t>(&option - option_table().data()); }
  const std::string& source(const Option& option) const { return sources_[index(option)]; }

  std::vector<std::string> sources_;  // in table order
  std::vector<bool> from_file_;       // in table order: the source is a file
  Settings settings_;
};

}  // namespace

bool Invocation::was_set(std::string_view key) const {
  const auto option =
      std::find_if(options.begin(), options.end(), [&](const auto& option) { return option.key == key; });
  check(option != options.end(), "was_set() is asked for a key of the option table");
  return option->source != "default";
}

Settings default_settings() {
  Settings settings;
  for (const Option& option : option_table()) option.set_default(settings);
  return settings;
}

ParseResult parse_invocation(int argc, const char* const* argv, const Environment& environment) {
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  const CommandLine line = parse_command_line(arguments);
  if (line.version) return Resolver::version_request(line);
  if (line.help) return HelpText{line.command ? command_help(*line.command) : general_help()};

  Resolver resolver;
  if (line.config) resolver.read_file(*line.config);
  resolver.read_environment(environment);
  resolver.read_flags(line.flags);
  resolver.check(*line.command);
  resolver.check_thinking();
  return resolver.finish(line);
}

}  // namespace specthink::inline config
