#include "app/job/evaluation_job.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <thread>
#include <utility>

#include "app/commands.h"
#include "app/job/job.h"
#include "app/job/signals.h"
#include "specthink/base/log.h"
#include "specthink/comm/device.h"

namespace specthink::inline app {
namespace {

constexpr std::chrono::milliseconds kDrainPoll{20};

/// One value of rank 0 for all ranks.
std::int64_t share(const ProcessGroup& world, std::int64_t value) {
  world.broadcast(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

constexpr const char* kStepCosts = "step_costs";

/// Those that the log of a resumed benchmark names; a damaged entry counts as none.
std::optional<StepCosts> read_step_costs(const std::vector<WorkStage>& stages) {
  for (const WorkStage& stage : stages) {
    const Json description = stage.benchmark->recorded_description();
    if (!description.contains(kStepCosts)) continue;
    try {
      const Json& costs = description.at(kStepCosts);
      return StepCosts{costs.at("target").get<RowCosts>(), costs.at("draft").get<RowCosts>()};
    } catch (const Json::exception&) {
      spdlog::warn("{}: 'step_costs' cannot be read and is not used", stage.benchmark->log_path().string());
    }
  }
  return std::nullopt;
}

bool any_but_target(const std::vector<RunMode>& modes) {
  return std::any_of(modes.begin(), modes.end(), [](RunMode mode) { return !is_target_alone(mode); });
}

}  // namespace

EvaluationJob::EvaluationJob(const ProcessGroup& world, const Invocation& invocation, std::vector<RunMode> modes,
                             std::vector<Policy> policies)
    : world_(world),
      settings_(invocation.settings),
      is_eval_(invocation.subcommand == kEval),
      modes_(std::move(modes)),
      policies_(std::move(policies)),
      groups_(world, settings_.models.tp),
      models_(world, groups_.own(), invocation, any_but_target(modes_)),
      text_(world, models_, settings_) {}

int EvaluationJob::run(const Steps& steps) {
  together(world_, [&] {
    if (models_.is_root()) text_.require_tokenizer();
    if (is_first()) stages_ = steps.prepare();
  });
  const bool complete = std::all_of(stages_.begin(), stages_.end(),
                                    [](const WorkStage& stage) { return stage.benchmark->is_complete(); });
  // What is finished needs no models.
  if (share(world_, is_first() && complete)) return end(steps);
  if (groups_.count() > 1) mailbox_.emplace(world_);
  models_.load();
  use_recorded_costs();
  const int exit_code = models_.drive([this] { return is_first() ? do_own_runs() : do_remote_runs(); });
  if (exit_code != kExitSuccess) return exit_code;
  world_.mark(is_first() ? Phase::output : Phase::idle);
  if (server_) {
    while (!work_->is_drained()) std::this_thread::sleep_for(kDrainPoll);
    server_->finish();
  }
  if (remote_) remote_->wait_for_end();
  together(world_, [this] {
    if (work_) work_->finish();  // a judge may be at work for longer than the models were
    world_.mark(Phase::idle);
  });
  return end(steps);
}

/// A resumed job proposes tokens as the one before did, so that its steps have the same rows.
void EvaluationJob::use_recorded_costs() {
  std::optional<StepCosts> recorded;
  if (is_first()) recorded = read_step_costs(stages_);
  if (!share(world_, recorded.has_value())) return;
  StepCosts costs = recorded.value_or(StepCosts());
  world_.broadcast(std::as_writable_bytes(std::span(&costs, 1)));
  models_.use_step_costs(costs);
}

// What result files say besides the settings.
Json EvaluationJob::describe() const {
  Json parameters{{"target", models_.target_config().num_parameters()}};
  if (models_.draft_config()) parameters["draft"] = models_.draft_config()->num_parameters();
  Json description{{"parameters", std::move(parameters)},
                   {"machine", {{"device", specthink::describe(models_.device())}, {"ranks", world_.size()}}}};
  if (const std::optional<StepCosts>& costs = models_.step_costs()) {
    description[kStepCosts] = {{"target", costs->target}, {"draft", costs->draft}};
  }
  return description;
}

int EvaluationJob::do_own_runs() {
  std::size_t finished = 0;
  std::size_t total = 0;
  for (WorkStage& stage : stages_) {
    stage.benchmark->describe(describe());
    stage.benchmark->start();
    finished += stage.benchmark->finished();
    total += stage.benchmark->total();
  }
  const auto at_a_time = static_cast<std::size_t>(groups_.count() * models_.batch());
  progress_.emplace(stderr, ::isatty(STDERR_FILENO) != 0, finished, total, at_a_time);
  work_.emplace(stages_, &*progress_, [this] { world_.reach(FaultPhase::write); });
  if (mailbox_) server_.emplace(*mailbox_, *work_, groups_);
  LocalWork work(*work_, stop_requested);
  return do_group_runs(work);
}

int EvaluationJob::do_remote_runs() {
  remote_.emplace(*mailbox_, stop_requested);
  return do_group_runs(*remote_);
}

int EvaluationJob::do_group_runs(WorkSource& source) {
  text_.install_stops(models_.engine());
  Solver solver(models_.engine(), {.sampling = sampling_params(settings_),
                                   .seed = settings_.sampling.seed,
                                   .make_setup = [this](const auto& message, auto alone,
                                                        std::size_t stage) { return setup_of(message, alone, stage); },
                                   .stop_requested = stop_requested,
                                   .batch = models_.batch(),
                                   .reserve = settings_.bench.reserve,
                                   .alone_is_baseline = !is_eval_});
  solver.warm_up(modes_, std::max<std::size_t>(policies_.size(), 1));
  solver.do_runs(source);
  solver.log_step_times();
  return kExitSuccess;
}

OrderedJson EvaluationJob::conversation(const std::string& prompt) const {
  return text_.with_prompts(OrderedJson::array({{{"role", "user"}, {"content", prompt}}}));
}

RunSetup EvaluationJob::setup_of(const std::string& message, std::optional<Role> alone, std::size_t stage) {
  const OrderedJson messages = OrderedJson::array({{{"role", "user"}, {"content", message}}});
  TextSide::Prompt prompt = text_.make_prompt(messages, /*enable_thinking=*/true, alone);
  models_.check_prompt(prompt.ids, /*answer_tokens=*/1, alone);
  const std::optional<Policy> policy = policies_.empty() ? std::nullopt : std::optional(policies_.at(stage));
  return text_.make_setup(std::move(prompt), alone, policy);
}

int EvaluationJob::end(const Steps& steps) {
  progress_.reset();  // ends its line
  world_.mark(is_first() ? Phase::output : Phase::idle);
  const int exit_code = is_first() ? steps.conclude(stages_) : kExitSuccess;
  world_.mark(Phase::idle);
  return static_cast<int>(share(world_, exit_code));
}

}  // namespace specthink::inline app
