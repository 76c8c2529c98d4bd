// Executes the runs of a benchmark on an engine. On rank 0 of a group.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "specthink/engine/engine.h"
#include "specthink/evaluation/work_exchange.h"
#include "specthink/report/problem.h"
#include "specthink/report/run_record.h"
#include "specthink/schedule/schedule.h"

namespace specthink {

class Solver {
 public:
  struct Options {
    SamplingParams sampling;
    std::uint64_t seed = 0;
    /// The run over a user's message, by one model alone or by the schedule. Throws UserError for one that does not
    /// fit.
    std::function<RunSetup(const std::string& message, std::optional<Role> alone)> make_setup;
    std::function<bool()> stop_requested;  ///< asked between two requests
  };

  /// The engine must outlive this.
  Solver(Engine& engine, Options options);

  /// 50 tokens of each mode, so that the first timed run does not pay for what libraries set up on first use.
  void warm_up(const std::vector<RunMode>& modes);

  /// One run. It is interrupted where a stop is requested, or `is_cut_off` says so.
  RunOutcome solve(const Problem& problem, const RunKey& key, const std::function<bool()>& is_cut_off);

  /// What all runs so far took a step.
  void log_step_times() const;

 private:
  Engine& engine_;
  Options options_;
  PhaseTimes draft_;
  PhaseTimes target_;
};

/// Takes runs from `source` and delivers them, one after the other, until there are none left.
void do_runs(WorkSource& source, Solver& solver);

}  // namespace specthink
