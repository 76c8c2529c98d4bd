#include "specthink/evaluation/summary.h"

#include <cmath>
#include <string>
#include <utility>

#include "specthink/evaluation/sample_counter.h"
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

OrderedJson interval_json(const Proportion& proportion) {
  return {{"mean", proportion.mean}, {"low", proportion.low}, {"high", proportion.high}};
}

}  // namespace

std::map<std::size_t, ProblemSamples> samples_by_problem(RunMode mode, std::span<const RunRecord> records) {
  std::map<std::size_t, SampleCounter> counters;
  for (const RunRecord& record : records) {
    if (record.key.mode == mode && record.correct) counters[record.key.problem].add(*record.correct, record.answer);
  }
  std::map<std::size_t, ProblemSamples> samples;
  for (const auto& [problem, counter] : counters) samples[problem] = counter.samples();
  return samples;
}

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
      runs, [mode](const RunRecord& run) { return is_target_alone(mode) ? run.num_tokens : run.large_model_tokens; });
  for (const RunRecord* run : runs) summary.ledger += run->ledger;
  summary.samples = samples_by_problem(mode, records);
  std::vector<ProblemSamples> samples;
  for (const auto& [problem, of_problem] : summary.samples) samples.push_back(of_problem);
  if (!samples.empty()) summary.accuracy = accuracy(samples);
  summary.accuracy_at_k = accuracy_at_k(samples);
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
    object["accuracy"] = to_json(*summary.accuracy);
    for (const ProportionAtK& at : summary.accuracy_at_k) {
      object["pass_at_k"][std::to_string(at.k)] = interval_json(at.pass);
      object["maj_at_k"][std::to_string(at.k)] = interval_json(at.majority);
    }
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
  comparison.accuracy = compare_accuracy(large.samples, spec.samples);
  return comparison;
}

std::optional<PairedDifference> compare_accuracy(const std::map<std::size_t, ProblemSamples>& first,
                                                 const std::map<std::size_t, ProblemSamples>& second) {
  std::vector<ProblemSamples> of_first;
  std::vector<ProblemSamples> of_second;
  for (const auto& [problem, samples] : first) {
    const auto found = second.find(problem);
    if (found == second.end()) continue;
    of_first.push_back(samples);
    of_second.push_back(found->second);
  }
  if (of_first.empty()) return std::nullopt;
  return paired_difference(of_first, of_second);
}

OrderedJson to_json(const Proportion& proportion) {
  return {{"mean", proportion.mean},
          {"low", proportion.low},
          {"high", proportion.high},
          {"n", proportion.n},
          {"problems", proportion.problems},
          {"standard_error", proportion.standard_error},
          {"effective_n", proportion.effective_n}};
}

OrderedJson to_json(const PairedDifference& difference) {
  return {{"mean", difference.mean},
          {"low", difference.low},
          {"high", difference.high},
          {"problems", difference.problems},
          {"standard_error", difference.standard_error},
          {"p_value", difference.p_value},
          {"test", difference.is_mcnemar ? "mcnemar" : "sign flips"}};
}

OrderedJson to_json(const Comparison& comparison) {
  OrderedJson object{{"speedup", comparison.speedup},
                     {"throughput_improvement", comparison.throughput_improvement},
                     {"large_model_reduction", comparison.large_model_reduction},
                     {"target_work_reduction", comparison.target_work_reduction}};
  if (comparison.accuracy) object["accuracy_difference"] = to_json(*comparison.accuracy);
  return object;
}

void add_figures(BenchmarkData& data) {
  std::map<RunMode, ModeSummary> summaries;
  for (const RunMode mode : data.modes) summaries[mode] = summarize_mode(mode, data.records);
  for (const auto& [mode, summary] : summaries) data.statistics[mode] = to_json(summary);
  const auto large = summaries.find(RunMode::large);
  const auto spec = summaries.find(RunMode::spec);
  if (large != summaries.end() && spec != summaries.end()) {
    data.comparison = to_json(compare(large->second, spec->second));
    const auto ahead = summaries.find(RunMode::large_spec);
    if (ahead != summaries.end()) {
      (*data.comparison)["token_speculation"] = {
          {"target_alone_speedup", ratio(large->second.latency.mean, ahead->second.latency.mean)},
          {"thinking_speedup", ratio(ahead->second.latency.mean, spec->second.latency.mean)}};
    }
  }
}

}  // namespace specthink::inline evaluation
