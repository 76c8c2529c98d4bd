#include <algorithm>
#include <map>
#include <utility>

#include "report/series/readers.h"
#include "specthink/base/error.h"
#include "specthink/report/json_reader.h"
#include "specthink/report/ledger.h"
#include "specthink/report/trace.h"

namespace specthink::inline report {
namespace {

namespace fs = std::filesystem;

SeriesRun read_sample(const Json& response, const Json& usage, const std::string& source) {
  const JsonReader reader(response, source, "the response");
  const JsonReader numbers(usage, source + ": token_usages", "it");
  SeriesRun run;
  if (reader.has("content")) run.text = reader.text("content");
  if (reader.has("correctness") && reader.value("correctness").is_boolean()) {
    run.correct = reader.value("correctness").get<bool>();
  }
  if (reader.has("answer") && reader.value("answer").is_string()) run.answer = reader.text("answer");
  run.tokens = numbers.count("completion_tokens");
  run.prompt_tokens = numbers.optional_count("prompt_tokens");
  if (numbers.has("time_spend") && numbers.value("time_spend").is_number()) run.seconds = numbers.number("time_spend");
  run.validations = numbers.optional_count("try_correct");
  if (numbers.has("correct_tokens") && numbers.value("correct_tokens").is_array()) {
    run.log = numbers.value("correct_tokens");
    run.takeovers = static_cast<std::int64_t>(run.log.size());
    std::int64_t nominal = 0;
    for (const Json& entry : run.log) {
      const JsonReader passage(entry, source + ": correct_tokens", "the passage");
      nominal += passage.count("token_num");
    }
    run.nominal_target_tokens = nominal;
  }
  if (numbers.has("ledger")) run.ledger = parse_ledger(numbers.value("ledger"), source + ": ledger");
  if (numbers.has("finish_reason")) run.finish_reason = numbers.text("finish_reason");
  if (numbers.has("origins")) run.origins = numbers.list("origins");
  if (numbers.has("segments")) {
    const Json trace{{"problem", 0},
                     {"run", 0},
                     {"prompt_tokens", 0},
                     {"completion_tokens", 0},
                     {"segments", numbers.value("segments")}};
    run.segments = parse_trace(trace, source).segments;
  }
  return run;
}

std::optional<std::string> text_of(const Json& problem, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const auto found = problem.find(key);
    if (found == problem.end()) continue;
    if (found->is_string()) return found->get<std::string>();
    if (found->is_number()) return found->dump();
  }
  return std::nullopt;
}

// SYSTEM of SYSTEM_TASK_SPLIT_subset_..., as eval names its files; with a bound of difficulty a model stands there
// twice.
std::string system_name(const fs::path& path, const std::string& task) {
  const std::string stem = path.stem().string();
  std::size_t end = task.empty() ? std::string::npos : stem.find("_" + task + "_");
  if (end == std::string::npos) end = stem.find("_subset_");
  const std::string system = stem.substr(0, end);
  const std::string half = system.substr(0, system.size() / 2);
  return system == half + "_" + half ? half : system;
}

// What the file of metrics with the same name says of settings and machine.
Json read_config(const fs::path& path) {
  const fs::path metrics = path.parent_path() / "metrics" / path.filename();
  if (!fs::exists(metrics)) return Json::object();
  const Json document = read_json(metrics);
  const Json config = document.is_object() ? document.value("config", Json()) : Json();
  return config.is_object() ? config : Json::object();
}

// A run of one model alone has no passages of a second one.
SystemKind kind_of(const ResultSeries& series) {
  const bool speculative = std::any_of(series.runs.begin(), series.runs.end(), [](const SeriesRun& run) {
    return run.validations || !run.log.empty() || (run.ledger && run.ledger->draft > 0);
  });
  return speculative ? SystemKind::speculative : SystemKind::target;
}

}  // namespace

bool is_eval_document(const Json& document) {
  return !document.empty() && std::all_of(document.begin(), document.end(), [](const Json& problem) {
    return problem.is_object() && problem.contains("responses") && problem.contains("token_usages");
  });
}

std::vector<ResultSeries> read_eval_results(const OrderedJson& ordered, const Json& document, const fs::path& path) {
  std::map<std::string, ResultSeries> by_temperature;
  std::vector<SeriesProblem> problems;
  std::string task;
  for (const auto& [text, ignored] : ordered.items()) {
    const Json& problem = document.at(text);
    const std::size_t index = problems.size();
    const std::string where = fmt::format("{}: problem {}", path.string(), index);
    const JsonReader reader(problem, where, "the problem");
    SeriesProblem& entry = problems.emplace_back();
    entry.text = text;
    entry.id = problem.contains("id") ? problem["id"] : Json(index);
    entry.answer = text_of(problem, {"gold", "answer", "Answer"});
    task = text_of(problem, {"task"}).value_or(task);
    const Json& responses = reader.value("responses");
    if (!responses.is_object()) reader.fail("responses", "an object by temperature");
    for (const auto& [temperature, samples] : responses.items()) {
      const JsonReader usages(reader.value("token_usages"), where + ": token_usages", "it");
      const Json& usage = usages.list(temperature.c_str());
      if (!samples.is_array() || samples.size() != usage.size()) {
        throw UserError("{}: expected as many responses as token_usages for temperature {}", where, temperature);
      }
      ResultSeries& series = by_temperature[temperature];
      for (std::size_t i = 0; i < samples.size(); ++i) {
        SeriesRun run = read_sample(samples[i], usage[i], fmt::format("{}: {}[{}]", where, temperature, i));
        run.problem = index;
        run.run = i;
        series.runs.push_back(std::move(run));
      }
    }
  }
  const Json config = read_config(path);
  std::vector<ResultSeries> result;
  for (auto& [temperature, series] : by_temperature) {
    series.source = path;
    series.name = system_name(path, task);
    series.settings = config;
    series.settings.erase("temperature");  // it has several
    series.task = task;
    series.problems = problems;
    series.kind = kind_of(series);
    char* end = nullptr;
    const double number = std::strtod(temperature.c_str(), &end);
    if (end && *end == '\0') series.temperature = number;
    result.push_back(std::move(series));
  }
  return result;
}

}  // namespace specthink::inline report
