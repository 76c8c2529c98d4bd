#include "specthink/report/result_file.h"

#include <fmt/format.h>

#include <string_view>

namespace specthink::inline report {
namespace {

// "Qwen3-32B" of "Qwen/Qwen3-32B" and of "models/Qwen3-32B/".
std::string_view short_name(std::string_view model) {
  const std::size_t end = model.find_last_not_of('/');
  if (end == std::string_view::npos) return model;
  model = model.substr(0, end + 1);
  return model.substr(model.rfind('/') + 1);
}

std::string describe_models(RunMode mode, const BenchmarkConfig& config) {
  const std::string_view target = short_name(config.target_model);
  const std::string draft(short_name(config.speculative_model.value_or("no draft")));
  if (mode == RunMode::large) return fmt::format("{} (Large Only)", target);
  if (mode == RunMode::large_spec) return fmt::format("{} (Large Only, token-level speculation)", target);
  if (mode == RunMode::draft) return fmt::format("{} (Draft Only)", draft);
  return fmt::format("Speculative Thinking ({} + {})", draft, target);
}

OrderedJson config_json(const BenchmarkData& data) {
  const BenchmarkConfig& config = *data.config;
  OrderedJson object;
  object["num_problems"] = data.problems.size();
  object["num_runs"] = data.num_runs;
  object["config_path"] = config.config_path.empty() ? OrderedJson() : OrderedJson(config.config_path);
  object["target_model"] = config.target_model;
  object["speculative_model"] = config.speculative_model ? OrderedJson(*config.speculative_model) : OrderedJson();
  object["temperature"] = config.temperature;
  object["top_p"] = config.top_p;
  object["top_k"] = config.top_k;
  object["max_tokens"] = config.max_tokens;
  for (const auto& [key, value] : data.settings.items()) {
    if (!object.contains(key)) object[key] = OrderedJson(value);
  }
  return object;
}

OrderedJson results_json(const BenchmarkData& data, RunMode mode) {
  OrderedJson problems = OrderedJson::array();
  for (const Problem& problem : data.problems) {
    OrderedJson object;
    object["id"] = OrderedJson(problem.id);
    object["problem"] = problem.problem;
    if (problem.answer) object["answer"] = *problem.answer;
    object["runs"] = OrderedJson::array();
    problems.push_back(std::move(object));
  }
  for (const RunRecord& record : data.records) {
    if (record.key.mode == mode) problems.at(record.key.problem)["runs"].push_back(result_json(record));
  }
  OrderedJson results;
  results["model"] = describe_models(mode, *data.config);
  results["problems"] = std::move(problems);
  return results;
}

// The documents of a file and of a summary differ only in whether the runs are listed.
OrderedJson mode_document(const BenchmarkData& data, RunMode mode, bool with_runs) {
  OrderedJson document;
  document["timestamp"] = data.timestamp;
  document["model_type"] = name_of(mode);
  document["config"] = config_json(data);
  if (with_runs) document["results"] = results_json(data, mode);
  document["statistics"] = data.statistics.at(mode);
  return document;
}

OrderedJson make_document(const BenchmarkData& data, bool with_runs) {
  if (data.modes.size() == 1) return mode_document(data, data.modes.front(), with_runs);
  OrderedJson document;
  document["timestamp"] = data.timestamp;
  document["model_type"] = file_kind(data.modes);
  document["config"] = config_json(data);
  for (const RunMode mode : data.modes) document[name_of(mode)] = mode_document(data, mode, with_runs);
  if (data.comparison) document["comparison"] = *data.comparison;
  return document;
}

}  // namespace

OrderedJson result_document(const BenchmarkData& data) { return make_document(data, true); }

OrderedJson summary_document(const BenchmarkData& data, const std::string& result_path, const std::string& log_path) {
  OrderedJson document = make_document(data, false);
  document["files"] = {{"results", result_path.empty() ? OrderedJson() : OrderedJson(result_path)}, {"runs", log_path}};
  return document;
}

std::string to_file_text(const OrderedJson& document) {
  return document.dump(2, ' ', true, OrderedJson::error_handler_t::replace) + "\n";
}

}  // namespace specthink::inline report
