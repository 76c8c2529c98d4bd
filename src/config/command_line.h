// Splits a command line into the command and its flags, as text.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/option_table.h"

namespace specthink::inline config {

struct GivenFlag {
  const Option* option;
  std::string text;
  Location location;
};

struct CommandLine {
  const CommandInfo* command = nullptr;  ///< null: help or version of the whole program
  bool help = false;
  bool version = false;
  std::optional<std::string> config;  ///< file of --config
  std::vector<GivenFlag> flags;       ///< in order; the argument (a prompt) is one of them
};

/// `--flag value` and `--flag=value`; `--flag`, `--flag=false` and `--no-flag` of a boolean; `--` before an argument
/// that begins with a dash. Flags are never abbreviated. Throws UserError.
CommandLine parse_command_line(std::span<const std::string> arguments);

}  // namespace specthink::inline config
