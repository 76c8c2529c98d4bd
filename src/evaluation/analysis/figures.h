// The figures of one system of a report.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "specthink/evaluation/accuracy.h"
#include "specthink/evaluation/statistics.h"
#include "specthink/report/series.h"

namespace specthink::inline evaluation {

/// A mean of runs with its 95 % interval over problems; `values` are those of the runs.
struct RunFigure {
  Statistics statistics;
  Interval interval;  ///< of the mean, clustered by problem
  std::size_t runs = 0;
};

struct SeriesFigures {
  std::size_t problems = 0;                       ///< with a run
  std::map<std::size_t, ProblemSamples> samples;  ///< by problem of the report, where there are judged runs
  std::optional<Proportion> accuracy;
  std::vector<ProportionAtK> at_k;
  std::optional<RunFigure> seconds;
  RunFigure tokens;
  std::optional<RunFigure> throughput;     ///< tokens a second
  std::optional<RunFigure> target_tokens;  ///< real ones where ledgers count them
  std::optional<Ledger> ledger;            ///< sum; where every run has one
};

/// `place` maps the series' problems to those of the report.
SeriesFigures figures_of(const ResultSeries& series, const std::vector<std::size_t>& place);

/// "12.3", "162", "8,963": three digits at least, none that say nothing.
std::string format_number(double value);
/// "92.0 [75.0, 97.8]" of a share, in per cent.
std::string format_percent(const Proportion& share);
/// "162 [134, 191]".
std::string format_figure(const std::optional<RunFigure>& figure);

OrderedJson to_json(const RunFigure& figure);

}  // namespace specthink::inline evaluation
