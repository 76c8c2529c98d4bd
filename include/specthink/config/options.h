// The command line, the environment and the YAML file of `--config`, resolved into Settings.
//
// A setting has one name, spelled as a YAML key (max_tokens), a flag (--max-tokens) and an environment variable
// (SPECTHINK_MAX_TOKENS). Defaults give way to the YAML file, that to the environment, that to the flags.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "specthink/base/json.h"
#include "specthink/config/settings.h"

namespace specthink::inline config {

/// The subcommands, as bits of a set.
enum Subcommand : unsigned {
  kGenerate = 1,
  kScore = 2,
  kBench = 4,
  kTokenize = 8,
  kPlan = 16,
  kConfig = 32,
  kReplay = 64,
  kDoctor = 128,
  kMerge = 256,
  kBenchKernels = 512,
  kEval = 1024,
  kReport = 2048,
  kJudge = 4096,
  kImport = 8192,
  kServe = 16384,
};

/// Where a command runs.
enum class RunsOn {
  rank_0,      ///< one process, which starts no MPI; of several that a launcher has started, rank 0 alone
  every_rank,  ///< every process of the job, which MPI joins
  engine,      ///< the same, and they load models and decode
};

/// What another value of a setting changes of a run, for the same models and files on as many ranks.
enum class Affects {
  tokens,   ///< what is written, if only by rounding, and with it the time it takes
  times,    ///< the time alone
  nothing,  ///< neither: where results go, which runs there are, what is found out by other means
};

/// A setting as it came out, and why.
struct ResolvedOption {
  std::string key;     ///< YAML key
  std::string value;   ///< on one line, both YAML and JSON; paths are absolute, so that it means the same anywhere
  std::string source;  ///< `default`, `FILE:LINE`, `environment SPECTHINK_X`, `flag --x` or `argument`
};

struct Invocation {
  Subcommand subcommand = kConfig;
  RunsOn runs_on = RunsOn::rank_0;
  std::string command;  ///< the subcommand's name: generate, score, …
  Settings settings;
  std::filesystem::path config_path;    ///< empty without --config
  std::vector<ResolvedOption> options;  ///< every setting, in the order of the option table
  std::vector<std::string> idle_keys;   ///< of the file: settings of other policies than the chosen ones

  /// True when the setting was given anywhere but by its default. Throws InternalError for a key that does not exist.
  bool was_set(std::string_view key) const;
};

/// What to print instead of running a command.
struct HelpText {
  std::string text;
};
struct VersionRequest {
  bool as_json = false;
};

using ParseResult = std::variant<Invocation, HelpText, VersionRequest>;

/// The value of an environment variable, or null.
using Environment = std::function<const char*(const char* name)>;

/// Throws UserError naming the flag, the variable or file and line; for a name that does not exist, the nearest one.
/// A flag that is repeated counts with its last value; an empty environment variable counts as not set.
ParseResult parse_invocation(int argc, const char* const* argv, const Environment& environment);

/// {key: value} of the command's settings that affect the tokens of a run, or with Affects::times those that affect its
/// times as well: what is written beside runs, so that --resume goes on with runs of the same kind only.
Json settings_that_affect(Affects what, const Invocation& invocation);

/// Settings that a file holds, {key: value}, with the words of today: one that an older program wrote (compat: seed)
/// equals what replaced it. Keys that are no settings stay as they are.
Json with_current_words(Json settings);

/// `settings` with those that a request gives by their keys, {key: value}: of the thinking schedule alone, and of these
/// what need not be known before models are loaded. Throws UserError that names the key.
ScheduleSettings with_schedule(ScheduleSettings settings, const Json& given);

/// What holds when nothing is given.
Settings default_settings();

/// The settings of models, schedule, sampling and benchmark: as a YAML file that gives the same settings again, with
/// the source of each as a comment, and as {"settings": {key: {"value": …, "source": …}}}.
std::string settings_as_yaml(const Invocation& invocation);
Json settings_as_json(const Invocation& invocation);

}  // namespace specthink::inline config
