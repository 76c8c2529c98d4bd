// The same task under several names.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "specthink/report/series.h"

namespace specthink::inline evaluation {

/// The name of each series' task. Series are of one task when they have a problem in common, when their files call the
/// task alike but for the case of letters, or when others join them by these. It has the first name that a file gives
/// it; tasks that no file names are told apart by their files, where there are several. `place` maps the problems of
/// each series to those of the report.
std::vector<std::string> task_names(const std::vector<ResultSeries>& series,
                                    const std::vector<std::vector<std::size_t>>& place);

}  // namespace specthink::inline evaluation
