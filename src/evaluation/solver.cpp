#include "specthink/evaluation/solver.h"

#include <algorithm>
#include <utility>

#include "specthink/base/error.h"
#include "specthink/base/log.h"
#include "specthink/engine/runner.h"

namespace specthink {
namespace {

constexpr int kWarmUpTokens = 50;
constexpr const char* kWarmUpPrompt = "What is 2+2?";

Json phase_json(const PhaseTimes& times) {
  return {{"decode_steps", times.decode_steps},
          {"ms_per_step", times.milliseconds_per_step()},
          {"prefilled", times.prefilled},
          {"prefill_seconds", times.prefill_seconds}};
}

std::optional<Role> model_alone(RunMode mode) {
  if (mode == RunMode::large) return Role::target;
  if (mode == RunMode::draft) return Role::draft;
  return std::nullopt;
}

}  // namespace

Solver::Solver(Engine& engine, Options options) : engine_(engine), options_(std::move(options)) {
  check(options_.make_setup && options_.stop_requested, "a solver is told how runs begin and when they are to end");
}

void Solver::warm_up(const std::vector<RunMode>& modes) {
  for (const RunMode mode : modes) {
    RunSetup setup = options_.make_setup(kWarmUpPrompt, model_alone(mode));
    setup.max_tokens = std::min(setup.max_tokens, kWarmUpTokens);
    setup.settings.time_out = -1;
    RunOptions run_options;
    run_options.sampling = options_.sampling;
    run_options.interrupted = options_.stop_requested;
    engine_.reset();
    run_schedule(engine_, std::move(setup), run_options);
  }
}

RunOutcome Solver::solve(const Problem& problem, const RunKey& key, const std::function<bool()>& is_cut_off) {
  RunSetup setup = options_.make_setup(problem.prompt, model_alone(key.mode));
  RunOptions run_options;
  run_options.sampling = options_.sampling;
  run_options.draw = {options_.seed, static_cast<std::uint32_t>(key.problem), static_cast<std::uint32_t>(key.run)};
  run_options.interrupted = [&] { return options_.stop_requested() || is_cut_off(); };
  RunOutcome outcome;
  outcome.prompt_tokens = setup.prompt.size();
  engine_.reset();
  EngineRun run = run_schedule(engine_, std::move(setup), run_options);
  draft_ += run.draft;
  target_ += run.target;
  outcome.latency = run.seconds;
  if (key.mode != RunMode::draft) outcome.extra["target"] = phase_json(run.target);
  if (key.mode != RunMode::large) outcome.extra["draft"] = phase_json(run.draft);
  outcome.result = std::move(run.result);
  return outcome;
}

void Solver::log_step_times() const {
  for (const auto& [role, times] : {std::pair{Role::draft, draft_}, std::pair{Role::target, target_}}) {
    if (times.decode_steps == 0) continue;
    spdlog::info("{}: {:.3f} ms a decode step ({} steps), {} positions prefilled in {:.2f} s", name_of(role),
                 times.milliseconds_per_step(), times.decode_steps, times.prefilled, times.prefill_seconds);
  }
}

void do_runs(WorkSource& source, Solver& solver) {
  const auto is_cut_off = [&] { return source.is_stopped(); };
  while (const std::optional<Work> work = source.next()) {
    source.deliver(make_record(work->key, solver.solve(work->problem, work->key, is_cut_off)));
  }
}

}  // namespace specthink
