// One line on stderr for each run that ends, with the time that is left.
#pragma once

#include <cstddef>
#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "specthink/report/run_record.h"

namespace specthink::inline evaluation {

/// "45 s", "3 min 20 s", "2 h 5 min".
std::string format_duration(double seconds);

/// Mean latencies of the runs that ended, and what they let one expect of those to come.
class TimeEstimate {
 public:
  void add(RunMode mode, double seconds);

  /// Seconds for `pending`. A mode without a finished run is expected to take as long as the others' mean run.
  double remaining(std::span<const RunKey> pending) const;

 private:
  struct Sum {
    double seconds = 0;
    std::size_t runs = 0;
  };
  std::map<RunMode, Sum> sums_;
};

class Progress {
 public:
  /// Counts to `total` runs, of which `finished` are there already; `workers` do them at the same time. On a terminal
  /// one line is rewritten in place.
  Progress(std::FILE* out, bool is_terminal, std::size_t finished, std::size_t total, std::size_t workers = 1);
  ~Progress();  ///< ends a line that is still open

  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// A run ended; `problem_id` names its problem, `pending` are those to come.
  /// The line tells how many answers were right so far, of the record's mode under the same label.
  void report(const RunRecord& record, const Json& problem_id, std::span<const RunKey> pending,
              const std::string& label = "");

 private:
  std::FILE* out_;
  bool is_terminal_;
  std::size_t finished_;
  std::size_t total_;
  std::size_t workers_;
  bool line_open_ = false;
  TimeEstimate estimate_;
  std::map<std::pair<std::string, RunMode>, std::pair<std::size_t, std::size_t>> judged_;  // right, all
};

}  // namespace specthink::inline evaluation
