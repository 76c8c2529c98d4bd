// Help texts, made from the option table.
#pragma once

#include <string>

#include "config/option_table.h"

namespace specthink::inline config {

std::string general_help();
std::string command_help(const CommandInfo& command);

}  // namespace specthink::inline config
