// The tables of a report.
#pragma once

#include <string>
#include <vector>

#include "evaluation/analysis/figures.h"
#include "specthink/report/page.h"
#include "specthink/report/series.h"

namespace specthink::inline evaluation {

/// What the tables are made from: the series and their figures, in the same order.
struct Analysis {
  std::vector<ResultSeries> series;
  std::vector<SeriesFigures> figures;
  std::vector<std::string> names;               ///< of the series, all different
  std::vector<std::vector<std::size_t>> place;  ///< of the problems of each series among those of the report
  std::vector<SeriesProblem> problems;          ///< of all series; the same text is the same problem
  std::vector<std::string> tasks;               ///< of the series: the same task has the same name
};

ReportTable summary_table(const Analysis& analysis);

/// Every system against the first that is the target alone, else the first, on the same problems at the same
/// temperature; one that is alone at its temperature against one at another.
ReportTable comparison_table(const Analysis& analysis);

ReportTable at_k_table(const Analysis& analysis);

/// Tokens by who wrote them, corrections and accuracy, by system and temperature.
ReportTable tokens_table(const Analysis& analysis);

/// 2 x parameters x tokens that a model processed, prefill and decode apart.
ReportTable flops_table(const Analysis& analysis);

ReportTable reflection_table(const Analysis& analysis);
ReportTable lengths_table(const Analysis& analysis);
ReportTable tokens_before_table(const Analysis& analysis);
ReportTable settings_table(const Analysis& analysis);

}  // namespace specthink::inline evaluation
