#include "specthink/evaluation/benchmark.h"

#include <map>
#include <set>
#include <utility>

#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/base/hash.h"
#include "specthink/base/log.h"
#include "specthink/evaluation/console.h"
#include "specthink/evaluation/judge.h"
#include "specthink/evaluation/merge.h"
#include "specthink/evaluation/summary.h"
#include "specthink/report/log_file.h"
#include "specthink/report/output_folder.h"
#include "specthink/report/run_log_file.h"

namespace specthink::inline evaluation {
namespace {

namespace fs = std::filesystem;

// Changes with any prompt or answer. Each text is hashed with its length, so that no two lists look the same.
std::string hash_problems(const std::vector<Problem>& problems) {
  std::uint64_t hash = kHashSeed;
  for (const Problem& problem : problems) {
    for (const std::string& text : {problem.id.dump(), problem.prompt, problem.answer.value_or("")}) {
      hash = hash_text(text, hash_text(fmt::format("{}:", text.size()), hash));
    }
  }
  return fmt::format("{:016x}", hash);
}

std::string part_name(const Part& part) { return fmt::format("{}/{}", part.number, part.of); }

Json plan_settings(const Task& task, const std::vector<Problem>& problems, const BenchmarkOptions& options) {
  const BenchmarkConfig& config = options.config;
  Json modes = Json::array();
  for (const RunMode mode : options.modes) modes.push_back(name_of(mode));
  Json settings = options.settings;
  settings.update({{"task", task.name},
                   {"answer_pattern", task.answer_pattern ? Json(*task.answer_pattern) : Json()},
                   {"num_problems", problems.size()},
                   {"problems_hash", hash_problems(problems)},
                   {"num_runs", options.num_runs},
                   {"modes", std::move(modes)},
                   {"target_model", config.target_model},
                   {"speculative_model", config.speculative_model ? Json(*config.speculative_model) : Json()},
                   {"temperature", config.temperature},
                   {"top_p", config.top_p},
                   {"top_k", config.top_k},
                   {"max_tokens", config.max_tokens}});
  if (!options.part.is_whole()) settings[kPartKey] = part_name(options.part);
  return settings;
}

}  // namespace

Benchmark::Benchmark(const Task& task, std::vector<Problem> problems, BenchmarkOptions options)
    : answer_rule_(task.answer_rule),
      judge_(options.judge),
      problems_(std::move(problems)),
      options_(std::move(options)) {
  check(!problems_.empty() && options_.num_runs > 0 && !options_.modes.empty(), "a benchmark has something to run");
  if (options_.output_dir.empty()) options_.output_dir = ".";
  plan_ = {.modes = options_.modes,
           .num_problems = problems_.size(),
           .num_runs = options_.num_runs,
           .settings = plan_settings(task, problems_, options_),
           .part = options_.part,
           .description = Json::object(),
           .for_merge = {}};
  options_.settings["task"] = task.name;
  if (plan_.part.is_whole()) return;
  options_.settings[kPartKey] = part_name(plan_.part);
}

void Benchmark::prepare() {
  if (plan_.total() == 0) {
    throw UserError("--part {} has nothing to do: there are {} problems; use at most as many parts",
                    part_name(plan_.part), problems_.size());
  }
  const fs::path& folder = options_.output_dir;
  prepare_output_folder(folder);
  if (!options_.resume) return;
  log_ = RunLog::resume(folder, plan_, options_.how_to_start_anew);
  if (!log_) {
    spdlog::info("nothing to resume in {}: a new benchmark begins", folder.string());
  } else if (finished() == total()) {
    spdlog::info("{}: all {} runs are finished", log_->path().string(), total());
  } else {
    spdlog::info("resuming {}: {} of {} runs are finished", log_->path().string(), finished(), total());
  }
}

void Benchmark::describe(const Json& description) {
  options_.settings.update(description);
  plan_.description.update(description);
}

Json Benchmark::recorded_description() const {
  const std::optional<Json> header = log_ ? read_header(log_->path()) : std::nullopt;
  return header ? header->value("description", Json::object()) : Json::object();
}

void Benchmark::start() {
  if (log_) return;
  if (!plan_.part.is_whole()) {
    Json of_whole = options_.settings;
    of_whole.erase(kPartKey);
    plan_.for_merge = describe_for_merge(options_.config, of_whole, problems_);
  }
  log_ =
      RunLog::create(options_.output_dir, plan_, options_.timestamp.empty() ? current_timestamp() : options_.timestamp);
}

std::vector<RunKey> Benchmark::pending() const {
  std::set<RunKey> done;
  for (const RunRecord& record : log().records()) done.insert(record.key);
  std::vector<RunKey> keys;
  for (const RunMode mode : plan_.modes) {
    for (std::size_t problem = 0; problem < plan_.num_problems; ++problem) {
      if (!plan_.has_problem(problem)) continue;
      for (std::size_t run = 0; run < plan_.num_runs; ++run) {
        const RunKey key{mode, problem, run};
        if (!done.contains(key)) keys.push_back(key);
      }
    }
  }
  return keys;
}

RunRecord Benchmark::record(RunRecord record) {
  judge_.record(record, problem(record.key), answer_rule_);
  try {
    check(log_.has_value(), "a benchmark is started before runs are recorded");
    log_->append(record);
  } catch (const EnvironmentError& error) {
    fail_safely(error.what());
  }
  return record;
}

void Benchmark::write_results() const {
  check(finished() == total(), "results are written when all runs are finished");
  if (!plan_.part.is_whole()) return;
  try {
    write_file_atomically(result_path(), to_file_text(result_document(data())));
  } catch (const EnvironmentError& error) {
    fail_safely(error.what());
  }
}

std::optional<std::vector<RunRecord>> Benchmark::all_records() const {
  if (plan_.part.is_whole()) return log().records();
  RunPlan whole = plan_;
  whole.part = {};
  std::map<RunKey, RunRecord> runs;
  for (const LogName& name : list_run_logs(options_.output_dir)) {
    const std::optional<Json> header = read_header(name.path);
    if (!header || !is_other_part(header->at("settings"), plan_.settings)) continue;
    // A part is some of the problems of the whole.
    for (RunRecord& record : load_run_log(name.path, whole, TornLine::skip))
      runs.emplace(record.key, std::move(record));
  }
  for (const RunRecord& record : log().records()) runs.insert_or_assign(record.key, record);
  if (runs.size() < whole.total()) return std::nullopt;
  std::vector<RunRecord> records;
  for (auto& [key, record] : runs) records.push_back(std::move(record));
  return records;
}

Json Benchmark::config() const {
  Json config = options_.settings;
  config.update(plan_.settings);
  return config;
}

std::size_t Benchmark::finished() const { return log().records().size(); }
fs::path Benchmark::log_path() const { return log().path(); }
fs::path Benchmark::result_path() const { return log().result_path(); }

std::string Benchmark::summary_text() const {
  std::vector<ModeSummary> modes;
  for (const RunMode mode : plan_.modes) modes.push_back(summarize_mode(mode, log().records()));
  const std::string results =
      plan_.part.is_whole()
          ? result_path().string()
          : fmt::format("part {}; when all are finished, `specthink merge --output-dir {}` writes them",
                        part_name(plan_.part), options_.output_dir.string());
  return specthink::summary_text(modes) + fmt::format("\nResults: {}\nRuns:    {}\n", results, log_path().string());
}

std::string Benchmark::summary_line() const {
  return to_line(summary_document(data(), plan_.part.is_whole() ? result_path().string() : "", log_path().string()));
}

BenchmarkData Benchmark::data() const {
  BenchmarkData data{.timestamp = log().timestamp(),
                     .modes = plan_.modes,
                     .problems = problems_,
                     .num_runs = plan_.num_runs,
                     .config = &options_.config,
                     .settings = options_.settings,
                     .records = log().records(),
                     .statistics = {},
                     .comparison = {}};
  add_figures(data);
  return data;
}

const RunLog& Benchmark::log() const {
  check(log_.has_value(), "a benchmark is started before it is asked about its runs");
  return *log_;
}

void Benchmark::fail_safely(const std::string& message) const {
  throw EnvironmentError("{}; the {} finished runs are safe in {}, go on with --resume", message, finished(),
                         log_path().string());
}

}  // namespace specthink::inline evaluation
