#include "config/command_line.h"

#include <algorithm>
#include <boost/program_options.hpp>

#include "config/option_builder.h"
#include "specthink/base/strings.h"

namespace specthink::inline config {
namespace {

namespace po = boost::program_options;

// Flags of the original's eval.py that are more than another name of one option.
constexpr const char* kOldConfig = "spe-config";   // of its script, whose --model has no effect beside it
constexpr const char* kModel = "model";            // the target, alone
constexpr const char* kOldOutput = "output-file";  // has no effect there either: files have names of their own

const CommandInfo& find_command(const std::string& word) {
  std::vector<std::string> names;
  for (const CommandInfo& command : command_table()) {
    if (command.name == word) return command;
    names.push_back(command.name);
  }
  if (word.starts_with('-')) {
    throw UserError("expected a command before {}: {}; see 'specthink --help'", word, fmt::join(names, ", "));
  }
  throw UserError("unknown command {}{}, expected one of {}; see 'specthink --help'", quote(word),
                  did_you_mean(word, names), fmt::join(names, ", "));
}

std::vector<std::string> flags_of(const Option& option) {
  if (option.alias.empty()) return {option.flag};
  return {option.flag, option.alias};
}

// An option by its flag, or null.
const Option* find_flag(std::string_view flag, Subcommand command) {
  for (const Option& option : option_table()) {
    if (option.belongs_to(command) && !flag.empty() && (flag == option.flag || flag == option.alias)) return &option;
  }
  return nullptr;
}

po::options_description describe_flags(Subcommand command) {
  po::options_description flags;
  flags.add_options()("help,h", "")("version", "")("config", po::value<std::string>());
  if (command == kEval) {
    for (const char* flag : {kOldConfig, kModel, kOldOutput}) flags.add_options()(flag, po::value<std::string>());
  }
  for (const Option& option : option_table()) {
    if (!option.belongs_to(command)) continue;
    for (const std::string& flag : flags_of(option)) {
      const bool has_letter = option.letter != 0 && flag == option.flag;
      flags.add_options()((has_letter ? flag + "," + option.letter : flag).c_str(), po::value<std::string>());
      if (option.is_boolean()) flags.add_options()(("no-" + flag).c_str(), "");
    }
  }
  return flags;
}

[[noreturn]] void fail_unknown_flag(const std::string& token, const CommandInfo& command) {
  const std::string name = flag_spelling(token.substr(std::min(token.find_first_not_of('-'), token.size())));
  const std::string flag = name.substr(0, name.find('='));
  std::vector<std::string> candidates{"--config", "--help", "--version"};
  std::vector<std::string> other_commands;
  for (const Option& option : option_table()) {
    for (const std::string& known : flags_of(option)) {
      if (option.belongs_to(command.bit)) {
        candidates.push_back("--" + known);
        if (option.is_boolean()) candidates.push_back("--no-" + known);
      } else if (token == "--" + known) {
        for (const CommandInfo& other : command_table()) {
          if (option.belongs_to(other.bit)) other_commands.push_back(other.name);
        }
      }
    }
  }
  if (!other_commands.empty()) {
    throw UserError("'{}' has no flag {}, which belongs to {}; see 'specthink {} --help'", command.name, token,
                    fmt::join(other_commands, ", "), command.name);
  }
  const auto longer = std::find_if(candidates.begin(), candidates.end(), [&](const std::string& candidate) {
    return flag.size() > 1 && candidate.starts_with("--" + flag);
  });
  const std::string advice =
      token.starts_with("--") || command.argument.empty() ? "" : ", put -- before a text that begins with a dash";
  throw UserError("unknown flag {} of '{}'{}{}; see 'specthink {} --help'", token, command.name,
                  did_you_mean(longer == candidates.end() ? "--" + flag : *longer, candidates), advice, command.name);
}

// The flags of the original's eval.py have underscores: --spe_config, --max_tokens.
std::vector<std::string> with_dashes(std::span<const std::string> arguments, const CommandInfo& command) {
  std::vector<std::string> result(arguments.begin(), arguments.end());
  if (command.bit != kEval) return result;
  for (std::string& argument : result) {
    if (argument == "--") break;
    if (!argument.starts_with("--")) continue;
    const std::size_t end = std::min(argument.find('='), argument.size());
    std::string flag = argument.substr(2, end - 2);
    std::replace(flag.begin(), flag.end(), '_', '-');
    if (find_flag(flag, command.bit) || flag == kOldConfig || flag == kOldOutput) argument.replace(2, end - 2, flag);
  }
  return result;
}

std::vector<po::option> split(std::span<const std::string> arguments, const CommandInfo& command) {
  using Style = po::command_line_style::style_t;
  constexpr int kStyle = Style::allow_long | Style::long_allow_adjacent | Style::long_allow_next | Style::allow_short |
                         Style::allow_dash_for_short | Style::short_allow_adjacent | Style::short_allow_next;
  const po::options_description flags = describe_flags(command.bit);
  // A boolean flag alone takes nothing from what follows it; versions of the library differ in that.
  const auto boolean_alone = [&](const std::string& token) -> std::pair<std::string, std::string> {
    const Option* option =
        token.starts_with("--") ? find_flag(std::string_view(token).substr(2), command.bit) : nullptr;
    return option && option->is_boolean() ? std::pair(token.substr(2), "true") : std::pair("", "");
  };
  try {
    return po::command_line_parser(with_dashes(arguments, command))
        .options(flags)
        .style(kStyle)
        .extra_parser(boolean_alone)
        .allow_unregistered()
        .run()
        .options;
  } catch (const po::error& error) {
    throw UserError("{}; see 'specthink {} --help'", error.what(), command.name);
  }
}

// What follows a flag is its value even where it begins with a dash, as in --top-k -1, unless it is a flag itself.
void check_value(const po::option& given, const CommandInfo& command) {
  const std::string& value = given.value.front();
  const bool is_next_token = given.original_tokens.size() > 1 && value.starts_with("--");
  if (is_next_token && find_flag(std::string_view(value).substr(2, value.find('=') - 2), command.bit)) {
    throw UserError("flag --{}: expected a value, found the flag {}; write --{}={} if that is the value",
                    given.string_key, value, given.string_key, value);
  }
}

[[noreturn]] void fail_two_texts(const CommandInfo& command) {
  throw UserError("'{}' takes one text, found an argument and --{}; leave out one of them", command.name,
                  flag_spelling(command.argument_keys.front()));
}

void add_argument(const std::string& text, std::vector<std::string>& texts, const CommandInfo& command) {
  if (command.argument.empty()) {
    throw UserError("unexpected argument {}: '{}' takes flags only; see 'specthink {} --help'", quote(text),
                    command.name, command.name);
  }
  const std::size_t most = command.argument_keys.size();
  if (texts.size() == most && !command.takes_many) {
    throw UserError("unexpected argument {}: '{}' takes {}", quote(text), command.name,
                    most == 1 ? "one text, put it in quotes" : command.argument);
  }
  texts.push_back(text);
}

// What may follow --version where no command stands before it: --format json.
GivenFlag format_of_version(std::span<const std::string> arguments) {
  const Option* const format = find_option("format");
  const std::string flag = "--" + format->flag;
  const std::string& first = arguments.front();
  const bool has_equals = first.starts_with(flag + "=");
  if (arguments.size() != (has_equals ? 1 : 2) || (!has_equals && first != flag)) {
    throw UserError("--version takes {} text or json, found {}; see 'specthink --help'", flag,
                    quote(fmt::format("{}", fmt::join(arguments, " "))));
  }
  return {format, has_equals ? first.substr(flag.size() + 1) : arguments[1], Location::in_flag(flag)};
}

}  // namespace

CommandLine parse_command_line(std::span<const std::string> arguments) {
  CommandLine line;
  if (arguments.empty()) {
    throw UserError("expected a command such as generate or bench; see 'specthink --help'");
  }
  const std::string& first = arguments.front();
  if (first == "--help" || first == "-h" || first == "--version") {
    line.help = first != "--version";
    line.version = !line.help;
    if (line.version && arguments.size() > 1) line.flags.push_back(format_of_version(arguments.subspan(1)));
    return line;
  }
  line.command = &find_command(first);

  std::vector<std::string> texts;  // arguments
  std::optional<std::string> model;
  bool is_old_config = false;
  for (const po::option& given : split(arguments.subspan(1), *line.command)) {
    if (given.unregistered) fail_unknown_flag(given.original_tokens.front(), *line.command);
    if (given.position_key >= 0) {
      const std::string& text = given.value.front();
      if (line.command->argument.empty() && !line.flags.empty() && line.flags.back().option->takes_more) {
        line.flags.back().text += "," + text;
        continue;
      }
      add_argument(text, texts, *line.command);
      continue;
    }
    const std::string& flag = given.string_key;
    if (flag == "help") {
      line.help = true;
    } else if (flag == "version") {
      line.version = true;
    } else if (flag == "config" || (flag == kOldConfig && line.command->bit == kEval)) {
      line.config = given.value.front();
      is_old_config = flag == kOldConfig;
    } else if (flag == kModel && line.command->bit == kEval) {
      model = given.value.front();
    } else if (flag == kOldOutput && line.command->bit == kEval) {
      continue;
    } else {
      const bool turned_off = given.value.empty();  // --no-flag
      if (!turned_off) check_value(given, *line.command);
      const Option* option = find_flag(turned_off ? flag.substr(3) : flag, line.command->bit);
      check(option != nullptr, "a described flag is in the table");
      line.flags.push_back({option, turned_off ? "false" : given.value.front(), Location::in_flag("--" + flag)});
    }
  }
  const std::vector<std::string>& keys = line.command->argument_keys;
  const std::vector<std::string> values =
      line.command->takes_many && !texts.empty() ? std::vector{Json(texts).dump()} : texts;
  const std::size_t num_flags = line.flags.size();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Option* const argument = find_option(keys[i]);
    for (std::size_t flag = 0; flag < num_flags; ++flag) {
      if (line.flags[flag].option == argument) fail_two_texts(*line.command);
    }
    line.flags.push_back({argument, values[i], Location::in_argument()});
  }
  if (model && !is_old_config) {
    // In front of the others: --draft still adds one.
    const Location location = Location::in_flag(std::string("--") + kModel);
    line.flags.insert(line.flags.begin(), {{find_option("target_model_name"), *model, location},
                                           {find_option("speculative_model_name"), "none", location}});
  }
  return line;
}

}  // namespace specthink::inline config
