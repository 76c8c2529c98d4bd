// The figures of a benchmark: each mode's own, and how the modes compare.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "specthink/evaluation/accuracy.h"
#include "specthink/evaluation/paired.h"
#include "specthink/evaluation/statistics.h"
#include "specthink/report/result_file.h"
#include "specthink/report/run_record.h"

namespace specthink::inline evaluation {

/// The judged runs of one mode as samples, by problem (RunKey::problem).
std::map<std::size_t, ProblemSamples> samples_by_problem(RunMode mode, std::span<const RunRecord> records);

/// Over all runs of one mode. Shares are means of the runs' shares, as the original has them.
struct ModeSummary {
  RunMode mode = RunMode::large;
  std::size_t runs = 0;
  Statistics latency;            ///< seconds
  Statistics throughput;         ///< tokens a second
  Statistics tokens;             ///< generated
  Statistics large_model_ratio;  ///< nominal target share
  Statistics target_share;       ///< real, from the ledger
  Statistics takeovers;          ///< passages of the target that stayed
  Statistics nominal_target_tokens;
  std::map<std::size_t, ProblemSamples> samples;  ///< of the problems with an answer
  std::optional<Proportion> accuracy;             ///< pass@1; none without answers
  std::vector<ProportionAtK> accuracy_at_k;
  Ledger ledger;  ///< sum of the runs

  /// A sum of the ledger as a mean per run.
  double per_run(std::int64_t sum) const { return runs ? static_cast<double>(sum) / static_cast<double>(runs) : 0; }
};

/// Takes the records of that mode.
ModeSummary summarize_mode(RunMode mode, std::span<const RunRecord> records);

/// `statistics` of a result file: the original's latency, throughput, tokens and large_model_ratio, then target_share,
/// for mode spec takeovers, where there are answers accuracy {mean, low, high, n, problems, standard_error,
/// effective_n} and {pass,maj}_at_k {K: {mean, low, high}}, and the summed ledger.
OrderedJson to_json(const ModeSummary& summary);

/// Speculative thinking against the target alone.
struct Comparison {
  double speedup = 0;                 ///< mean latency of large / of spec
  double throughput_improvement = 0;  ///< mean throughput of spec / of large
  double large_model_reduction = 0;   ///< 1 - nominal target tokens a run of spec / tokens a run of large
  double target_work_reduction = 0;   ///< the same with all tokens that the target decoded, rejected ones included
  std::optional<PairedDifference> accuracy;  ///< spec - large, on the problems that both have judged runs of
};

Comparison compare(const ModeSummary& large, const ModeSummary& spec);

OrderedJson to_json(const Comparison& comparison);
OrderedJson to_json(const Proportion& proportion);
OrderedJson to_json(const PairedDifference& difference);

/// The difference on the problems that both have; none when there is no such problem.
std::optional<PairedDifference> compare_accuracy(const std::map<std::size_t, ProblemSamples>& first,
                                                 const std::map<std::size_t, ProblemSamples>& second);

/// Fills in `statistics` and `comparison` from the records.
void add_figures(BenchmarkData& data);

}  // namespace specthink::inline evaluation
