#include <set>
#include <utility>

#include "report/series/readers.h"
#include "specthink/report/json_reader.h"

namespace specthink::inline report {
namespace {

namespace fs = std::filesystem;

SeriesRun read_replayed(const Json& object, const std::string& source) {
  const JsonReader reader(object, source, "the run");
  SeriesRun run;
  run.problem = static_cast<std::size_t>(reader.count("problem"));
  run.run = static_cast<std::size_t>(reader.count("run"));
  run.seconds = reader.number("seconds");
  run.tokens = reader.count("tokens");
  run.prompt_tokens = reader.count("prompt_tokens");
  const JsonReader target(reader.value("target"), source + ": target", "it");
  run.nominal_target_tokens = JsonReader(target.value("decode"), source + ": target.decode", "it").count("steps");
  return run;
}

}  // namespace

std::vector<ResultSeries> read_replay_results(const Json& document, const fs::path& path) {
  const JsonReader reader(document, path.string(), "the file");
  const Json& loops = reader.value("policies");
  if (!loops.is_object()) reader.fail("policies", "an object by loop");
  const std::string target = short_model_name(reader.value("target_model"));
  const std::string draft = short_model_name(document.value("speculative_model", Json()));
  std::vector<ResultSeries> result;
  for (const auto& [loop, figures] : loops.items()) {
    ResultSeries& series = result.emplace_back();
    series.source = path;
    series.kind = loop == "target" ? SystemKind::target : SystemKind::speculative;
    series.name = loop == "target" ? "replay, " + target + " alone"
                                   : "replay, " + draft + " + " + target + ", loop " +
                                         (loop == "seed" ? std::string("original") : std::string(loop));
    series.task = "replay";
    series.settings = document.value("settings", Json::object());
    for (const char* key : {"ranks", "device", "target_model", "speculative_model"}) {
      if (document.contains(key)) series.settings[key] = document[key];
    }
    if (reader.has("timestamp")) series.timestamp = reader.text("timestamp");
    std::set<std::size_t> problems;
    const Json& runs = JsonReader(figures, path.string() + ": policies." + loop, "it").list("runs");
    for (std::size_t i = 0; i < runs.size(); ++i) {
      series.runs.push_back(read_replayed(runs[i], fmt::format("{}: {}.runs[{}]", path.string(), loop, i)));
      problems.insert(series.runs.back().problem);
    }
    // Problems that the workload does not have are left out.
    std::vector<std::size_t> places(problems.begin(), problems.end());
    for (const std::size_t id : places) series.problems.push_back({id, fmt::format("problem {}", id), std::nullopt});
    for (SeriesRun& run : series.runs) {
      run.problem = static_cast<std::size_t>(std::distance(problems.begin(), problems.find(run.problem)));
    }
  }
  return result;
}

}  // namespace specthink::inline report
