// The runs of a report as data for its charts, and the texts of some of them.
#pragma once

#include <vector>

#include "evaluation/analysis/sections.h"
#include "specthink/evaluation/report_data.h"

namespace specthink::inline evaluation {

/// {problems: [[id, text, answer]], systems: [{name, task, kind, figures, rows by column}]}.
OrderedJson chart_data(const Analysis& analysis);

/// The chosen runs, one of each problem and system first.
std::vector<OrderedJson> run_details(const Analysis& analysis, const TextChoice& texts);

}  // namespace specthink::inline evaluation
