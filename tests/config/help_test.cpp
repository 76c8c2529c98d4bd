#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "config/invocation_helpers.h"
#include "config/option_table.h"

namespace specthink {
namespace {

using namespace config;

std::string help(const std::vector<std::string>& arguments) { return std::get<HelpText>(parse_result(arguments)).text; }

TEST(help, names_every_option_of_the_command_and_no_other) {
  for (const CommandInfo& command : command_table()) {
    const std::string text = help({command.name, "--help"});
    for (const Option& option : option_table()) {
      const std::string letter = option.letter ? std::string("-") + option.letter + ", " : "";
      const std::string flag = "\n  " + letter + (option.is_boolean() ? "--[no-]" : "--") + option.flag;
      const bool is_named = text.find(flag + " ") != text.npos || text.find(flag + "\n") != text.npos;
      const bool belongs = std::any_of(option_table().begin(), option_table().end(), [&](const Option& other) {
        return other.flag == option.flag && other.belongs_to(command.bit);
      });
      const bool is_of_eval = command.bit == kEval && option.flag == "model";  // of the original's script
      EXPECT_EQ(is_named, belongs || is_of_eval) << command.name << flag;
    }
    expect_contains(text, "--config FILE");
    expect_contains(text, "--help");
  }
}

TEST(help, gives_defaults_units_and_ranges) {
  std::string text = help({"bench", "--help"});
  for (std::size_t at; (at = text.find("\n" + std::string(38, ' '))) != text.npos;) text.replace(at, 39, " ");
  expect_contains(text, "length of a probe and of the target's answer to it (tokens; at least 1; default 20)");
  expect_contains(text, "(above 0 and at most 1; default 0.95)");
  expect_contains(text, "default [\"\\n\\n\"]");
  expect_contains(text, "--dtype bfloat16|float16|float32");
  expect_contains(text, "default bfloat16");
  expect_contains(text, "also --aime-config");
  expect_contains(text, "environment SPECTHINK_DATA");
  expect_contains(text, "YAML target_model_name");
  expect_contains(text, "default benchmark_results");
}

TEST(help, fits_100_columns) {
  std::vector<std::string> texts{help({"--help"}), help({"-h"})};
  for (const CommandInfo& command : command_table()) texts.push_back(help({command.name, "-h"}));
  for (const std::string& text : texts) {
    EXPECT_TRUE(text.ends_with("\n"));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), 100u) << line;
      EXPECT_FALSE(line.ends_with(' ')) << line;
    }
  }
}

TEST(help, general_text_lists_the_commands) {
  const std::string text = help({"--help"});
  for (const CommandInfo& command : command_table()) {
    expect_contains(text, "\n  " + command.name + " ");
    expect_contains(text, command.summary);
  }
  expect_contains(text, "mpirun");
}

TEST(help, wins_over_files_and_variables_that_are_wrong) {
  expect_contains(help({"bench", "--config", "missing.yml", "--help"}), "Usage: specthink bench");
  EXPECT_TRUE(std::holds_alternative<HelpText>(parse_result({"bench", "-h"}, {{"SPECTHINK_SEED", "x"}})));
}

TEST(help, version) {
  EXPECT_TRUE(std::holds_alternative<VersionRequest>(parse_result({"--version"})));
  EXPECT_TRUE(std::holds_alternative<VersionRequest>(parse_result({"bench", "--version"})));
}

}  // namespace
}  // namespace specthink
