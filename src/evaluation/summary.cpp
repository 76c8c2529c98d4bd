#include "specthink/evaluation/summary.h"

#include <cmath>
#include <map>

#include "specthink/report/ledger.h"

namespace specthink::inline evaluation {
namespace {

template <typename Value>
Statistics statistics_of(const std::vector<const RunRecord*>& runs, Value value) {
  std::vector<double> values;
  values.reserve(runs.size());
  for (const RunRecord* run : runs) values.push_back(static_cast<double>(value(*run)));
  return summarize(values);
}

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

// The original writes the extremes of counts as integers.
OrderedJson extreme(double value, bool is_count) {
  return is_count ? OrderedJson(std::llround(value)) : OrderedJson(value);
}

OrderedJson to_json(const Statistics& statistics, bool is_count = false) {
  return {{"mean", statistics.mean},
          {"std", statistics.std},
          {"min", extreme(statistics.min, is_count)},
          {"max", extreme(statistics.max, is_count)},
          {"median", statistics.median}};
}

}  // namespace

ModeSummary summarize_mode(RunMode mode, std::span<const RunRecord> records) {
  std::vector<const RunRecord*> runs;
  for (const RunRecord& record : records) {
    if (record.key.mode == mode) runs.push_back(&record);
  }
  ModeSummary summary;
  summary.mode = mode;
  summary.runs = runs.size();
  summary.latency = statistics_of(runs, [](const RunRecord& run) { return run.latency; });
  summary.throughput = statistics_of(runs, [](const RunRecord& run) { return run.throughput; });
  summary.tokens = statistics_of(runs, [](const RunRecord& run) { return run.num_tokens; });
  summary.large_model_ratio = statistics_of(runs, [](const RunRecord& run) { return run.large_model_ratio; });
  summary.target_share = statistics_of(runs, [](const RunRecord& run) { return run.ledger.target_share(); });
  summary.takeovers = statistics_of(runs, [](const RunRecord& run) { return run.takeovers; });
  summary.nominal_target_tokens = statistics_of(
      runs, [mode](const RunRecord& run) { return mode == RunMode::large ? run.num_tokens : run.large_model_tokens; });
  std::size_t correct = 0;
  std::size_t answered = 0;
  for (const RunRecord* run : runs) {
    summary.ledger += run->ledger;
    if (!run->correct) continue;
    ++answered;
    if (*run->correct) ++correct;
  }
  if (answered > 0) summary.accuracy = wilson(correct, answered);
  return summary;
}

OrderedJson to_json(const ModeSummary& summary) {
  OrderedJson object;
  object["latency"] = to_json(summary.latency);
  object["throughput"] = to_json(summary.throughput);
  object["tokens"] = to_json(summary.tokens, true);
  object["large_model_ratio"] = to_json(summary.large_model_ratio);
  object["target_share"] = to_json(summary.target_share);
  if (summary.mode == RunMode::spec) object["takeovers"] = to_json(summary.takeovers, true);
  if (summary.accuracy) {
    const Proportion& accuracy = *summary.accuracy;
    object["accuracy"] = {{"mean", accuracy.mean}, {"low", accuracy.low}, {"high", accuracy.high}, {"n", accuracy.n}};
  }
  object["ledger"] = OrderedJson(to_json(summary.ledger));
  return object;
}

Comparison compare(const ModeSummary& large, const ModeSummary& spec) {
  const auto decoded = [](const ModeSummary& summary) {
    return summary.per_run(summary.ledger.target + summary.ledger.target_wasted);
  };
  Comparison comparison;
  comparison.speedup = ratio(large.latency.mean, spec.latency.mean);
  comparison.throughput_improvement = ratio(spec.throughput.mean, large.throughput.mean);
  comparison.large_model_reduction = 1 - ratio(spec.nominal_target_tokens.mean, large.tokens.mean);
  comparison.target_work_reduction = 1 - ratio(decoded(spec), decoded(large));
  return comparison;
}

OrderedJson to_json(const Comparison& comparison) {
  return {{"speedup", comparison.speedup},
          {"throughput_improvement", comparison.throughput_improvement},
          {"large_model_reduction", comparison.large_model_reduction},
          {"target_work_reduction", comparison.target_work_reduction}};
}

void add_figures(BenchmarkData& data) {
  std::map<RunMode, ModeSummary> summaries;
  for (const RunMode mode : data.modes) summaries[mode] = summarize_mode(mode, data.records);
  for (const auto& [mode, summary] : summaries) data.statistics[mode] = to_json(summary);
  const auto large = summaries.find(RunMode::large);
  const auto spec = summaries.find(RunMode::spec);
  if (large != summaries.end() && spec != summaries.end()) {
    data.comparison = to_json(compare(large->second, spec->second));
  }
}

}  // namespace specthink::inline evaluation
