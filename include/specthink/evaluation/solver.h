// Executes the runs of a benchmark on an engine. On rank 0 of a group.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "specthink/engine/engine.h"
#include "specthink/engine/runner.h"
#include "specthink/evaluation/work_exchange.h"
#include "specthink/report/problem.h"
#include "specthink/report/run_record.h"
#include "specthink/schedule/schedule.h"

namespace specthink::inline evaluation {

class Solver {
 public:
  struct Options {
    SamplingParams sampling;  ///< but for the temperature, which the work says (of the warm-up: this one)
    std::uint64_t seed = 0;
    /// The run over a user's message, by one model alone or by the schedule; `stage`: of the work that it is for.
    /// Throws UserError for one that does not fit.
    std::function<RunSetup(const std::string& message, std::optional<Role> alone, std::size_t stage)> make_setup;
    std::function<bool()> stop_requested;  ///< asked between two requests
    int batch = 1;                         ///< runs at a time
    bool reserve = false;                  ///< as BatchOptions::reserve
    bool alone_is_baseline = true;         ///< one model alone decodes plainly, as what the others are held against
  };

  /// The engine must outlive this.
  Solver(Engine& engine, Options options);

  /// 50 tokens of each mode in each stage, so that the first timed run does not pay for what libraries set up on first
  /// use.
  void warm_up(const std::vector<RunMode>& modes, std::size_t stages);

  /// Takes runs from `source` and delivers each as it ends, until there are none left. Runs are interrupted where a
  /// stop is requested or the source is stopped.
  void do_runs(WorkSource& source);

  /// What all runs so far took a step.
  void log_step_times() const;

 private:
  ScheduledRun prepare(const Work& work, WorkSource& source);
  RunOutcome outcome_of(RunMode mode, std::size_t prompt_tokens, EngineRun run);

  Engine& engine_;
  Options options_;
  PhaseTimes draft_;
  PhaseTimes target_;
};

}  // namespace specthink::inline evaluation
