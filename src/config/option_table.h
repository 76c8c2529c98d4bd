// The option table: every setting of the program, once.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/types/value_types.h"
#include "specthink/config/options.h"
#include "specthink/config/settings.h"

namespace specthink::inline config {

inline constexpr unsigned kEveryCommand = ~0u;

struct CommandInfo {
  Subcommand bit;
  RunsOn runs_on;
  std::string name;
  std::string summary;                                  ///< one line
  std::string description;                              ///< what it prints, for its own help
  std::string argument;                                 ///< the arguments' names in the help; empty: takes none
  std::vector<std::string> argument_keys = {"prompt"};  ///< the settings that they are, in order
  bool takes_many = false;                              ///< arguments, which the first setting lists
};
const std::vector<CommandInfo>& command_table();

/// A heading of the help.
enum class Group {
  input,
  prompts,
  models,
  ranks,
  schedule,
  policy,
  sampling,
  bench,
  eval,
  report,
  judging,
  replay,
  tokenize,
  import,
  plan,
  kernels,
  serve,
  output,
};
const char* title_of(Group group);

struct Option {
  std::string key;          ///< YAML key
  std::string flag;         ///< without the dashes
  std::string alias;        ///< a second flag of the same meaning, or empty
  char letter;              ///< a short flag of the same meaning, or 0
  bool takes_more;          ///< further values may follow the flag, each by itself
  std::string environment;  ///< variable
  Group group;
  unsigned commands;  ///< that take the flag; YAML keys and variables may be set for any
  Affects affects;
  std::string help;
  std::string unit;
  std::string range;         ///< allowed values in words, or empty
  std::string metavar;       ///< empty for a boolean, whose flag needs no value
  std::string default_text;  ///< for the help; empty when nothing is set by default

  std::function<void(Settings&)> set_default;
  std::function<void(Settings&, const YamlValue&, const Location&)> read;  ///< throws UserError
  std::function<Json(const Settings&)> write;
  std::function<std::string(const std::string&)> current_word;  ///< for a word that was renamed; null: none was

  bool is_boolean() const { return metavar.empty(); }
  bool belongs_to(Subcommand command) const { return (commands & command) != 0; }
};
const std::vector<Option>& option_table();

/// The option of a YAML key, or null.
const Option* find_option(std::string_view key);

/// ` (did you mean 'x'?)` for a mistyped YAML key; flags and other spellings of capitals and dashes lead to it, too.
std::string suggest_key(std::string_view word);

}  // namespace specthink::inline config
