// What a report says of result files: figures, comparisons and the runs themselves.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "specthink/evaluation/judge.h"
#include "specthink/evaluation/task.h"
#include "specthink/report/page.h"
#include "specthink/report/series.h"

namespace specthink::inline evaluation {

/// Which runs are in a report with their texts.
struct TextChoice {
  enum class Kind { fitting, none, all, named };
  /// Runs of the problem with this number, from 0, in the order of the report; of all runs or of one.
  struct Name {
    std::size_t problem = 0;
    std::optional<std::size_t> run;
  };
  Kind kind = Kind::fitting;
  std::vector<Name> names;

  /// auto, none, all, or a list such as 0,3/1,7/0: problem, or problem/run. Throws UserError.
  static TextChoice parse(const std::string& text);
  bool wants(std::size_t problem, std::size_t run) const;
};

/// Judges the runs that their file says nothing of, by the task's answers. Problems are found by their text, also where
/// it is that of another edition. Returns how many runs that were.
std::size_t judge_series(std::vector<ResultSeries>& series, const Task& task, const std::vector<Problem>& problems,
                         const Judge& judge);

/// True when a run of these has a problem without an answer and no judgement of its own.
bool lacks_answers(const std::vector<ResultSeries>& series);

/// The report: a summary with intervals, comparisons on the same problems, tokens, work in floating-point operations,
/// reflections and settings as tables; the runs for charts; texts by `texts`, one of each problem first.
ReportPage make_report(std::vector<ResultSeries> series, const TextChoice& texts);

}  // namespace specthink::inline evaluation
