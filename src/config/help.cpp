#include "config/help.h"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "config/option_builder.h"

namespace specthink::inline config {
namespace {

constexpr std::size_t kWidth = 100;
constexpr std::size_t kTextColumn = 38;
constexpr std::size_t kCommandColumn = 17;  // the summaries begin two columns behind the longest name

// `text` in lines of at most kWidth columns, the first of which begins at `column`, the others at `indent`.
std::string wrapped(std::string_view text, std::size_t column, std::size_t indent) {
  std::string result;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    const bool at_start = column == indent;
    if (!at_start && column + 1 + word.size() > kWidth) {
      result += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (!at_start) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
    text.remove_prefix(space == text.npos ? text.size() : space + 1);
  }
  return result + "\n";
}

std::string paragraph(std::string_view text) { return wrapped(text, 0, 0); }

// One entry of a list: what to write on the left, what it means on the right.
std::string entry(const std::string& left, std::string_view text, std::size_t column) {
  std::string line = "  " + left;
  if (line.size() + 2 > column) {
    line += "\n" + std::string(column, ' ');
  } else {
    line.append(column - line.size(), ' ');
  }
  return line + wrapped(text, column, column);
}

std::string left_of(const Option& option) {
  if (option.is_boolean()) return "--[no-]" + option.flag;
  return fmt::format("{}--{} {}", option.letter ? fmt::format("-{}, ", option.letter) : "", option.flag,
                     option.metavar);
}

std::string text_of(const Option& option) {
  std::vector<std::string> facts;
  if (!option.unit.empty()) facts.push_back(option.unit);
  if (!option.range.empty()) facts.push_back(option.range);
  if (!option.default_text.empty()) facts.push_back("default " + option.default_text);
  if (!option.alias.empty()) facts.push_back("also --" + option.alias);
  if (option.key != key_spelling(option.flag)) facts.push_back("YAML " + option.key);
  if (option.environment != variable_spelling(option.key)) facts.push_back("environment " + option.environment);
  return facts.empty() ? option.help : fmt::format("{} ({})", option.help, fmt::join(facts, "; "));
}

}  // namespace

std::string general_help() {
  std::string help =
      "Usage: specthink COMMAND [FLAG]...\n"
      "       mpirun -np N specthink COMMAND [FLAG]...\n\n";
  help += paragraph(
      "Speculative thinking: a small draft model writes a chain of thought, and a large target model takes over where "
      "a thought starts to reflect. Both models are sharded over the N ranks, one GPU each.");
  help += "\nCommands:\n";
  for (const CommandInfo& command : command_table()) help += entry(command.name, command.summary, kCommandColumn);
  help += "\nFlags:\n";
  help += entry("-h, --help", "this text; after a command, the flags of that command", kCommandColumn);
  help += entry("--version",
                "versions of this program and of what it runs on; --format json: its libraries and their licences, too",
                kCommandColumn);
  help +=
      "\nExamples:\n"
      "  mpirun -np 2 specthink generate --config configs/qwen3_1.7b_32b_2gpu.yml \"What is 17 times 23?\"\n"
      "  mpirun -np 2 specthink bench --config configs/demo.yml --num-runs 1 --test-mode spec\n"
      "  specthink generate --target DIR --draft DIR --temperature 0 \"What is 2+2?\"\n"
      "  specthink plan --config configs/qwen3_1.7b_32b_2gpu.yml --gpus 2 --gpu-memory 80\n"
      "  specthink config --config configs/demo.yml\n";
  return help;
}

std::string command_help(const CommandInfo& command) {
  std::string help = fmt::format(
      "Usage: specthink {} [FLAG]...{}\n\n", command.name,
      command.argument.empty() ? "" : fmt::format(" [{}]{}", command.argument, command.takes_many ? "..." : ""));
  help += paragraph(command.description);
  help += "\n";
  help += paragraph(
      "Each setting is a flag, a key of the YAML file and an environment variable: --max-tokens, max_tokens, "
      "SPECTHINK_MAX_TOKENS. Flags win over the environment, that over the file. Flags are --flag VALUE or "
      "--flag=VALUE; those with [no-] take no value, but --flag=false is the same as --no-flag. A repeated flag counts "
      "with its last value. Relative paths in the file are relative to its folder.");

  const Option* previous = nullptr;
  for (const Option& option : option_table()) {
    if (!option.belongs_to(command.bit)) continue;
    if (!previous || previous->group != option.group) help += fmt::format("\n{}:\n", title_of(option.group));
    previous = &option;
    help += entry(left_of(option), text_of(option), kTextColumn);
  }
  help += "\nOther:\n";
  help += entry("--config FILE", "YAML file with settings", kTextColumn);
  if (command.bit == kEval) {
    help +=
        entry("--spe-config FILE", "the same, with the original's name; --model has no effect beside it", kTextColumn);
    help += entry("--model DIR|HUB_NAME", "the same as --target, without a draft", kTextColumn);
    help += entry("--output-file FILE", "has no effect, as with the original", kTextColumn);
  }
  help += entry("-h, --help", "this text", kTextColumn);
  if (command.runs_on == RunsOn::engine) {
    help += entry(
        "SPECTHINK_FAULT=RANK:PHASE[:ACTION[:COUNT]]",
        "environment variable: a rank fails on purpose, so that you can see what your scripts do then; PHASE "
        "is start, load, prefill, decode, collective or write (rank 0 records a run), ACTION is throw "
        "(default), kill, stop or hang, COUNT the time at which it happens (default 1); count instead: nothing fails, "
        "the rank says how often it came to each phase",
        kTextColumn);
  }
  help +=
      entry("--version", "versions of this program and of what it runs on (--format json: all libraries)", kTextColumn);
  return help;
}

}  // namespace specthink::inline config
