#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "report/series/readers.h"
#include "specthink/base/error.h"
#include "specthink/base/file.h"
#include "specthink/report/json_reader.h"
#include "specthink/report/ledger.h"
#include "specthink/report/run_log_file.h"
#include "specthink/report/run_record.h"
#include "specthink/report/trace.h"

namespace specthink::inline report {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxProblem = 10'000'000;  // no benchmark has more

SystemKind kind_of(RunMode mode) {
  if (is_target_alone(mode)) return SystemKind::target;
  return mode == RunMode::draft ? SystemKind::draft : SystemKind::speculative;
}

std::string describe_mode(RunMode mode, const Json& config) {
  const std::string target = short_model_name(config.value("target_model", Json()));
  const std::string draft = short_model_name(config.value("speculative_model", Json()));
  if (mode == RunMode::large) return target + " alone";
  if (mode == RunMode::large_spec) return target + " alone, several tokens a step";
  if (mode == RunMode::draft) return draft + " alone";
  return draft + " + " + target;
}

void read_judgement(const JsonReader& reader, SeriesRun& run) {
  if (reader.has("correct") && !reader.value("correct").is_null()) {
    if (!reader.value("correct").is_boolean()) reader.fail("correct", "true or false");
    run.correct = reader.value("correct").get<bool>();
  }
  if (reader.has("answer") && !reader.value("answer").is_null()) run.answer = reader.text("answer");
}

// The lenient form of parse_record(): the original's files lack much of what ours have.
SeriesRun read_run(const Json& object, RunMode mode, std::size_t problem, const std::string& source) {
  const JsonReader reader(object, source, "the run");
  SeriesRun run;
  run.problem = problem;
  run.run = static_cast<std::size_t>(reader.count("run"));
  run.seconds = reader.number("latency");
  run.tokens = reader.count("num_tokens");
  run.prompt_tokens = reader.optional_count("prompt_tokens");
  run.nominal_target_tokens = reader.optional_count("large_model_tokens");
  if (is_target_alone(mode)) run.nominal_target_tokens = run.tokens;
  if (mode == RunMode::draft) run.nominal_target_tokens = 0;
  run.validations = reader.optional_count("num_validations");
  run.takeovers = reader.optional_count("takeovers");
  if (reader.has("finish_reason")) run.finish_reason = reader.text("finish_reason");
  if (reader.has("ledger")) run.ledger = parse_ledger(reader.value("ledger"), source + ": ledger");
  if (reader.has("origins")) run.origins = reader.list("origins");
  read_judgement(reader, run);
  if (reader.has("generated_text")) run.text = reader.text("generated_text");
  return run;
}

ResultSeries read_mode(const Json& document, RunMode mode, const fs::path& path) {
  const std::string source = path.string();
  const JsonReader reader(document, source, "the file");
  ResultSeries series;
  series.source = path;
  series.kind = kind_of(mode);
  series.settings = reader.value("config");
  if (!series.settings.is_object()) reader.fail("config", "an object");
  series.name = describe_mode(mode, series.settings);
  if (const Json task = series.settings.value("task", Json()); task.is_string()) series.task = task.get<std::string>();
  if (const Json t = series.settings.value("temperature", Json()); t.is_number()) series.temperature = t.get<double>();
  if (reader.has("timestamp")) series.timestamp = reader.text("timestamp");
  const Json& problems = JsonReader(reader.value("results"), source + ": results", "it").list("problems");
  for (const Json& object : problems) {
    const std::size_t index = series.problems.size();
    const std::string where = fmt::format("{}: problems[{}]", source, index);
    const JsonReader problem(object, where, "the problem");
    SeriesProblem& entry = series.problems.emplace_back();
    entry.id = problem.has("id") ? problem.value("id") : Json(index);
    entry.text = problem.text("problem");
    if (problem.has("answer") && !problem.value("answer").is_null()) entry.answer = problem.text("answer");
    const Json& runs = problem.list("runs");
    for (std::size_t i = 0; i < runs.size(); ++i) {
      series.runs.push_back(read_run(runs[i], mode, index, fmt::format("{}: runs[{}]", where, i)));
    }
  }
  return series;
}

void add_trace(SeriesRun& run, RunRecord& record, std::string_view source) {
  run.segments = parse_trace(log_json(record), source).segments;
  run.log = std::move(record.correct_tokens);
  if (record.extra.contains("origins")) run.origins = record.extra["origins"];
}

SeriesRun from_record(RunRecord& record, std::string_view source) {
  SeriesRun run;
  run.problem = record.key.problem;
  run.run = record.key.run;
  run.seconds = record.latency;
  run.tokens = record.num_tokens;
  run.prompt_tokens = record.prompt_tokens;
  run.nominal_target_tokens = is_target_alone(record.key.mode) ? record.num_tokens : record.large_model_tokens;
  if (record.key.mode == RunMode::spec) {
    run.validations = record.num_validations;
    run.takeovers = record.takeovers;
  }
  run.finish_reason = record.finish_reason;
  run.ledger = record.ledger;
  run.correct = record.correct;
  run.answer = record.answer;
  run.text = record.generated_text;
  add_trace(run, record, source);
  return run;
}

// Calls `use(record, source)` for each finished run; a last line without its end is left out.
template <class Use>
void for_each_record(const std::string& content, const fs::path& path, Use use) {
  const std::vector<TextLine> lines = split_lines(content);
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (!lines[i].terminated) continue;
    const std::string source = fmt::format("{}:{}", path.string(), lines[i].number);
    RunRecord record = parse_record(parse_json(lines[i].text, source), source);
    if (record.key.problem >= kMaxProblem) throw UserError("{}: problem {} is too large", source, record.key.problem);
    if (record.is_finished()) use(record, source);
  }
}

}  // namespace

std::vector<ResultSeries> read_bench_results(const Json& document, const fs::path& path) {
  const JsonReader reader(document, path.string(), "the file");
  if (const auto mode = find_run_mode(reader.text("model_type"))) return {read_mode(document, *mode, path)};
  std::vector<ResultSeries> series;
  for (const RunMode mode : {RunMode::large, RunMode::large_spec, RunMode::spec, RunMode::draft}) {
    if (document.contains(name_of(mode))) series.push_back(read_mode(document.at(name_of(mode)), mode, path));
  }
  if (series.empty())
    reader.fail("model_type", "large_model, speculative_thinking, draft_model, or one of them as a key");
  return series;
}

std::vector<ResultSeries> read_bench_log(const std::string& content, const fs::path& path) {
  const std::optional<Json> header = read_header(path);
  if (!header) throw UserError("{}: the first line is none of a run log", path.string());
  const Json& settings = header->at("settings");
  std::map<RunMode, std::map<std::pair<std::size_t, std::size_t>, SeriesRun>> runs;
  std::size_t problems = 0;
  for_each_record(content, path, [&](RunRecord& record, std::string_view source) {
    problems = std::max(problems, record.key.problem + 1);
    runs[record.key.mode].insert_or_assign({record.key.problem, record.key.run}, from_record(record, source));
  });
  std::vector<ResultSeries> result;
  for (auto& [mode, of_mode] : runs) {
    ResultSeries& series = result.emplace_back();
    series.source = path;
    series.kind = kind_of(mode);
    series.name = describe_mode(mode, settings);
    series.settings = settings;
    if (const Json task = settings.value("task", Json()); task.is_string()) series.task = task.get<std::string>();
    if (const Json t = settings.value("temperature", Json()); t.is_number()) series.temperature = t.get<double>();
    for (std::size_t i = 0; i < problems; ++i) series.problems.push_back({i, "", std::nullopt});
    for (auto& [key, run] : of_mode) series.runs.push_back(std::move(run));
  }
  return result;
}

void add_bench_log(std::vector<ResultSeries>& series, const fs::path& log) {
  if (!fs::exists(log)) return;
  std::map<std::pair<SystemKind, std::pair<std::size_t, std::size_t>>, SeriesRun*> runs;
  for (ResultSeries& one : series) {
    for (SeriesRun& run : one.runs) runs[{one.kind, {run.problem, run.run}}] = &run;
  }
  try {
    for_each_record(read_file(log), log, [&](RunRecord& record, std::string_view source) {
      const auto found = runs.find({kind_of(record.key.mode), {record.key.problem, record.key.run}});
      if (found == runs.end() || found->second->text != record.generated_text) return;
      add_trace(*found->second, record, source);
    });
  } catch (const UserError&) {
    return;  // the report is of the result file; the log only adds to it
  }
}

}  // namespace specthink::inline report
