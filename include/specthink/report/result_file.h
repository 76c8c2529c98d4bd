// The result file of a benchmark, as the original writes it, with our keys added.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "specthink/report/problem.h"
#include "specthink/report/run_record.h"

namespace specthink::inline report {

/// `config` of a result file: the original's keys.
struct BenchmarkConfig {
  std::string config_path;  ///< empty when there is none: null
  std::string target_model;
  std::optional<std::string> speculative_model;
  double temperature = 0;
  double top_p = 1;
  int top_k = 0;
  int max_tokens = 0;
};

/// Everything that a result file is made from.
struct BenchmarkData {
  std::string timestamp;
  std::vector<RunMode> modes;
  std::span<const Problem> problems;
  std::size_t num_runs = 0;
  const BenchmarkConfig* config = nullptr;
  Json settings = Json::object();  ///< added to `config` behind the original's keys
  std::span<const RunRecord> records;
  std::map<RunMode, OrderedJson> statistics;  ///< of each mode's records; computed by evaluation/summary.h
  std::optional<OrderedJson> comparison;      ///< of the target alone and speculative thinking, where both ran
};

/// For one mode {timestamp, model_type, config, results, statistics}. For several {timestamp, model_type: speedup,
/// config, comparison} with such an object under each mode's name before `comparison`.
OrderedJson result_document(const BenchmarkData& data);

/// What `--format json` prints: the document without its runs, and `files` {results, runs}; an empty `result_path` is
/// null there.
OrderedJson summary_document(const BenchmarkData& data, const std::string& result_path, const std::string& log_path);

/// The text of a file: indented by two, all characters in ASCII, as the original writes it.
std::string to_file_text(const OrderedJson& document);

}  // namespace specthink::inline report
