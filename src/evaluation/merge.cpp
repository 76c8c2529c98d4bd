#include "specthink/evaluation/merge.h"

#include <algorithm>
#include <map>
#include <utility>

#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/log.h"
#include "specthink/config/options.h"
#include "specthink/evaluation/console.h"
#include "specthink/report/run_log_file.h"

namespace specthink::inline evaluation {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxProblems = 10'000'000;  // of a benchmark; a larger number is none that we wrote
constexpr int kMaxParts = 1'000'000;

struct Description {
  BenchmarkConfig config;
  Json settings;
  std::vector<Problem> problems;
};

struct PartLog {
  LogName name;
  RunPlan plan;
  Description about;
};

Part parse_part(const std::string& text) {
  Part part{0, 0};
  const std::size_t slash = text.find('/');
  if (slash != text.npos) part = {std::stoi(text.substr(0, slash)), std::stoi(text.substr(slash + 1))};
  if (part.number < 1 || part.number > part.of || part.of > kMaxParts) throw UserError("'{}' is no part", text);
  return part;
}

RunMode parse_mode(const std::string& name) {
  const std::optional<RunMode> mode = find_run_mode(name);
  if (!mode) throw UserError("'{}' is no mode", name);
  return *mode;
}

// What a header has that this program did not write ends in one message, whichever key it is.
template <class Read>
auto read_checked(const fs::path& path, Read read) {
  try {
    return read();
  } catch (const std::exception& error) {  // of the JSON library, std::stoi or ours
    throw UserError(
        "{}: the first line does not describe a part of a benchmark ({}); move the file elsewhere to merge "
        "the others",
        path.string(), error.what());
  }
}

Description parse_description(const Json& json) {
  const Json& config = json.at("config");
  Description about;
  about.config.config_path = config.at("config_path").get<std::string>();
  about.config.target_model = config.at("target_model").get<std::string>();
  const Json& draft = config.at("speculative_model");
  if (!draft.is_null()) about.config.speculative_model = draft.get<std::string>();
  about.config.temperature = config.at("temperature").get<double>();
  about.config.top_p = config.at("top_p").get<double>();
  about.config.top_k = config.at("top_k").get<int>();
  about.config.max_tokens = config.at("max_tokens").get<int>();
  about.settings = with_current_words(json.at("settings"));
  if (!about.settings.is_object()) throw UserError("'settings' is no object");
  for (const Json& json_problem : json.at("problems")) {
    Problem& problem = about.problems.emplace_back();
    problem.id = json_problem.at("id");
    problem.problem = json_problem.at("problem").get<std::string>();
    const Json& answer = json_problem.at("answer");
    if (!answer.is_null()) problem.answer = answer.get<std::string>();
  }
  return about;
}

PartLog read_part(const LogName& name, const Json& header) {
  return read_checked(name.path, [&] {
    PartLog log;
    log.name = name;
    log.about = parse_description(header.at("for_merge"));
    log.plan.settings = header.at("settings");
    const Json& settings = log.plan.settings;
    log.plan.part = parse_part(settings.at(kPartKey).get<std::string>());
    for (const Json& mode : settings.at("modes")) log.plan.modes.push_back(parse_mode(mode.get<std::string>()));
    log.plan.num_problems = log.about.problems.size();
    log.plan.num_runs = settings.at("num_runs").get<std::size_t>();
    if (log.plan.modes.empty() || log.plan.num_problems == 0 || log.plan.num_problems > kMaxProblems ||
        log.plan.num_runs == 0 || log.plan.num_runs > kMaxProblems) {
      throw UserError("without modes, problems or runs");
    }
    return log;
  });
}

Json without_part(Json settings) {
  settings.erase(kPartKey);
  return settings;
}

// The logs of all parts of the benchmark that has the newest log, that one first.
std::vector<PartLog> find_parts(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw UserError("{}: no such folder; --output-dir names the one that the parts were written into", folder.string());
  }
  std::vector<PartLog> parts;
  std::size_t others = 0;
  for (const LogName& name : list_run_logs(folder)) {
    const std::optional<Json> header = read_header(name.path);
    if (!header || !header->at("settings").contains(kPartKey)) continue;
    PartLog log = read_part(name, *header);
    const bool belongs = parts.empty() || (without_part(log.plan.settings) == without_part(parts[0].plan.settings) &&
                                           log.plan.part.of == parts[0].plan.part.of);
    if (belongs)
      parts.push_back(std::move(log));
    else
      ++others;
  }
  if (parts.empty()) {
    throw UserError(
        "{}: there are no parts of a benchmark; `bench --part K/N` writes them, and --output-dir names the "
        "folder",
        folder.string());
  }
  if (others > 0) {
    spdlog::warn("{}: {} logs belong to other benchmarks (other settings) and are left out", folder.string(), others);
  }
  return parts;
}

// "part 2/4 lacks 3 of 10 runs; part 3/4 has no log", or nothing.
std::string describe_missing(const std::vector<PartLog>& parts, const std::map<RunKey, RunRecord>& runs) {
  std::vector<std::string> missing;
  RunPlan plan = parts[0].plan;
  for (plan.part.number = 1; plan.part.number <= plan.part.of; ++plan.part.number) {
    if (plan.total() == 0) continue;  // more parts than problems
    const auto finished = static_cast<std::size_t>(
        std::count_if(runs.begin(), runs.end(), [&](const auto& run) { return plan.contains(run.first); }));
    const bool has_log =
        std::any_of(parts.begin(), parts.end(), [&](const PartLog& log) { return log.plan.part == plan.part; });
    const std::string part = fmt::format("part {}/{}", plan.part.number, plan.part.of);
    if (!has_log)
      missing.push_back(part + " has no log");
    else if (finished < plan.total()) {
      missing.push_back(fmt::format("{} lacks {} of {} runs", part, plan.total() - finished, plan.total()));
    }
  }
  return fmt::format("{}", fmt::join(missing, "; "));
}

}  // namespace

OrderedJson describe_for_merge(const BenchmarkConfig& config, const Json& settings,
                               const std::vector<Problem>& problems) {
  OrderedJson list = OrderedJson::array();
  for (const Problem& problem : problems) {
    list.push_back({{"id", OrderedJson(problem.id)},
                    {"problem", problem.problem},
                    {"answer", problem.answer ? OrderedJson(*problem.answer) : OrderedJson()}});
  }
  const OrderedJson draft = config.speculative_model ? OrderedJson(*config.speculative_model) : OrderedJson();
  return {{"config",
           {{"config_path", config.config_path},
            {"target_model", config.target_model},
            {"speculative_model", draft},
            {"temperature", config.temperature},
            {"top_p", config.top_p},
            {"top_k", config.top_k},
            {"max_tokens", config.max_tokens}}},
          {"settings", OrderedJson(settings)},
          {"problems", std::move(list)}};
}

MergedBenchmark merge_parts(const fs::path& folder) {
  const std::vector<PartLog> parts = find_parts(folder);
  std::map<RunKey, RunRecord> runs;
  for (auto log = parts.rbegin(); log != parts.rend(); ++log) {  // the newest last: its runs count
    for (RunRecord& record : load_run_log(log->name.path, log->plan, TornLine::skip)) {
      runs.insert_or_assign(record.key, std::move(record));
    }
  }
  if (const std::string missing = describe_missing(parts, runs); !missing.empty()) {
    throw UserError("{}: the benchmark is not complete: {}; run these parts with --resume, then merge again",
                    folder.string(), missing);
  }

  const PartLog& first = parts.back();
  const Description& about = first.about;
  std::vector<RunRecord> records;
  for (auto& [key, record] : runs) records.push_back(std::move(record));
  BenchmarkData data{.timestamp = first.name.timestamp,
                     .modes = first.plan.modes,
                     .problems = about.problems,
                     .num_runs = first.plan.num_runs,
                     .config = &about.config,
                     .settings = about.settings,
                     .records = records,
                     .statistics = {},
                     .comparison = {}};
  add_figures(data);
  MergedBenchmark merged;
  merged.parts = static_cast<std::size_t>(first.plan.part.of);
  merged.result_path = folder / fmt::format("{}_benchmark_{}.json", file_kind(first.plan.modes), first.name.timestamp);
  write_file_atomically(merged.result_path, to_file_text(result_document(data)));

  std::vector<ModeSummary> modes;
  for (const RunMode mode : first.plan.modes) modes.push_back(summarize_mode(mode, records));
  merged.summary_text =
      summary_text(modes) + fmt::format("\nResults: {} (of {} parts)\n", merged.result_path.string(), merged.parts);
  OrderedJson summary = summary_document(data, merged.result_path.string(), "");
  summary["files"]["runs"] = OrderedJson::array();
  for (auto log = parts.rbegin(); log != parts.rend(); ++log)
    summary["files"]["runs"].push_back(log->name.path.string());
  merged.summary_line = to_line(summary);
  return merged;
}

}  // namespace specthink::inline evaluation
