// specthink bench: the target alone against speculative thinking on a task.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "app/commands.h"
#include "app/job/job.h"
#include "app/job/loaded_models.h"
#include "app/job/signals.h"
#include "app/job/text_side.h"
#include "specthink/base/log.h"
#include "specthink/evaluation/benchmark.h"
#include "specthink/evaluation/progress.h"
#include "specthink/evaluation/solver.h"
#include "specthink/evaluation/task.h"
#include "specthink/evaluation/work_exchange.h"

namespace specthink::inline app {
namespace {

/// Without --aime-config and `task:`: AIME25 of the shipped configurations, beside the program's build folder or here.
std::filesystem::path task_file(const Settings& settings) {
  if (!settings.bench.task.empty()) return settings.bench.task;
  const std::filesystem::path shipped = "configs/tasks/aime25.yml";
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  for (const auto& root : {program.parent_path().parent_path(), std::filesystem::current_path()}) {
    if (std::filesystem::exists(root / shipped)) return root / shipped;
  }
  throw UserError("no task: give --aime-config FILE (a task file such as {})", shipped.string());
}

/// The test mode; without a draft and without --test-mode, what is left of it.
TestMode test_mode_of(const Invocation& invocation) {
  const bool nothing_to_compare = !invocation.settings.models.draft && !invocation.was_set("test_mode");
  return nothing_to_compare ? TestMode::large : invocation.settings.bench.test_mode;
}

BenchmarkOptions benchmark_options(const Invocation& invocation, int ranks) {
  const Settings& settings = invocation.settings;
  BenchmarkOptions options;
  options.output_dir = settings.bench.output_dir;
  options.resume = settings.bench.resume;
  options.modes = run_modes(test_mode_of(invocation));
  options.part = settings.bench.part;
  options.num_runs = static_cast<std::size_t>(settings.bench.num_runs);
  options.config.config_path = invocation.config_path.string();
  options.config.target_model = settings.models.target;
  options.config.speculative_model = settings.models.draft;
  options.config.temperature = settings.sampling.temperature;
  options.config.top_p = settings.sampling.top_p;
  options.config.top_k = settings.sampling.top_k;
  options.config.max_tokens = settings.max_tokens;
  options.settings = settings_that_affect(Affects::tokens, invocation);
  options.settings["ranks"] = ranks;
  return options;
}

/// Rank 0 of the world, when all runs are recorded or the benchmark was stopped: result file and summary.
int conclude(Benchmark& benchmark, Format format) {
  if (benchmark.finished() < benchmark.total()) {
    spdlog::warn("interrupted: {} of {} runs are in {}; go on with --resume", benchmark.finished(), benchmark.total(),
                 benchmark.log_path().string());
    return kExitInterrupted;
  }
  benchmark.write_results();
  fmt::print("{}", format == Format::json ? benchmark.summary_line() + "\n" : benchmark.summary_text());
  return kExitSuccess;
}

/// One value of rank 0 for all ranks.
std::int64_t share(const ProcessGroup& world, std::int64_t value) {
  world.broadcast(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

class BenchCommand {
 public:
  BenchCommand(const ProcessGroup& world, const Invocation& invocation)
      : world_(world),
        invocation_(invocation),
        settings_(invocation.settings),
        groups_(world, settings_.models.tp),
        with_draft_(test_mode_of(invocation) != TestMode::large),
        models_(world, groups_.own(), invocation, with_draft_),
        text_(world, models_, settings_) {}

  int run() {
    together(world_, [&] { prepare(); });
    // What is finished needs no models.
    if (share(world_, benchmark_ && benchmark_->is_complete())) return end();
    if (groups_.count() > 1) mailbox_.emplace(world_);
    models_.load();
    const int exit_code = models_.drive([this] { return is_first() ? do_own_runs() : do_remote_runs(); });
    if (exit_code != kExitSuccess) return exit_code;
    world_.mark(Phase::idle);
    if (server_) {
      while (!queue_->is_drained()) std::this_thread::sleep_for(kDrainPoll);
      server_->finish();
    }
    if (remote_) remote_->wait_for_end();
    return end();
  }

 private:
  static constexpr std::chrono::milliseconds kDrainPoll{20};

  bool is_first() const { return world_.rank() == 0; }

  void prepare() {
    if (with_draft_ && !models_.has_draft()) {
      throw UserError(
          "--test-mode spec, both and all need a draft model: give --draft FOLDER, set speculative_model_name, or "
          "use --test-mode large");
    }
    if (models_.is_root()) text_.require_tokenizer();
    if (!is_first()) return;
    const Task task = load_task(task_file(settings_));
    std::vector<Problem> problems =
        load_problems(task, settings_.data_dir, static_cast<std::size_t>(settings_.bench.num_problems));
    benchmark_.emplace(task, std::move(problems), benchmark_options(invocation_, groups_.own().size()));
    benchmark_->prepare();
  }

  int do_own_runs() {
    benchmark_->start();
    const auto at_a_time = static_cast<std::size_t>(groups_.count() * settings_.bench.batch);
    progress_.emplace(stderr, ::isatty(STDERR_FILENO) != 0, benchmark_->finished(), benchmark_->total(), at_a_time);
    queue_.emplace(*benchmark_, &*progress_, [this] { world_.reach(FaultPhase::write); });
    if (mailbox_) server_.emplace(*mailbox_, *queue_, *benchmark_, groups_);
    LocalWork work(*queue_, *benchmark_, stop_requested);
    return do_group_runs(work);
  }

  int do_remote_runs() {
    remote_.emplace(*mailbox_, stop_requested);
    return do_group_runs(*remote_);
  }

  int do_group_runs(WorkSource& source) {
    text_.install_triggers(models_.engine());
    Solver solver(models_.engine(),
                  {.sampling = sampling_params(settings_),
                   .seed = settings_.sampling.seed,
                   .make_setup = [this](const auto& message, auto alone) { return setup_of(message, alone); },
                   .stop_requested = stop_requested,
                   .batch = settings_.bench.batch});
    solver.warm_up(run_modes(test_mode_of(invocation_)));
    solver.do_runs(source);
    solver.log_step_times();
    return kExitSuccess;
  }

  RunSetup setup_of(const std::string& message, std::optional<Role> alone) {
    const OrderedJson messages = OrderedJson::array({{{"role", "user"}, {"content", message}}});
    TextSide::Prompt prompt = text_.make_prompt(messages, /*enable_thinking=*/true, alone);
    models_.check_prompt(prompt.ids, /*answer_tokens=*/1, alone);
    return text_.make_setup(std::move(prompt), alone);
  }

  int end() {
    progress_.reset();  // ends its line
    const int exit_code = is_first() ? conclude(*benchmark_, settings_.format) : kExitSuccess;
    return static_cast<int>(share(world_, exit_code));
  }

  const ProcessGroup& world_;
  const Invocation& invocation_;
  const Settings& settings_;
  RankGroups groups_;
  bool with_draft_;
  LoadedModels models_;
  TextSide text_;
  std::optional<Mailbox> mailbox_;      // with several groups
  std::optional<Benchmark> benchmark_;  // on rank 0, as all that follow but the last
  std::optional<Progress> progress_;
  std::optional<WorkQueue> queue_;
  std::optional<WorkServer> server_;
  std::optional<RemoteWork> remote_;  // on rank 0 of the other groups
};

}  // namespace

int run_bench(const Invocation& invocation) {
  return run_on_ranks(invocation.settings.models.collective_timeout, [&](const ProcessGroup& world) {
    BenchCommand command(world, invocation);
    return end_job_on_failure(world, [&] { return command.run(); });
  });
}

}  // namespace specthink::inline app
