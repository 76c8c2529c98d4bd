#include "specthink/engine/runner.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "engine/active_run.h"
#include "specthink/base/error.h"
#include "specthink/base/stopwatch.h"

namespace specthink::inline engine {
namespace {

// A turn of a model lasts about so long where new runs may come: they wait for half of it on average.
constexpr double kTurnSeconds = 0.03;
constexpr int kMaxTurnSteps = 64;

void check_room(const Engine& engine, const RunSetup& setup) {
  const auto prompt = static_cast<std::int64_t>(setup.prompt.size());
  const std::int64_t needed = tokens_needed(setup);
  if (needed <= engine.capacity() || prompt >= setup.max_model_len) return;
  throw UserError(
      "the KV cache holds {} tokens, but a prompt of {} and up to {} new tokens need {}: lower --max-tokens, or give "
      "the models more memory (`specthink plan` shows which --gpu-memory-utilization fits)",
      engine.capacity(), prompt, needed - prompt, needed);
}

/// Runs that share an engine.
class RunPool {
 public:
  /// `is_live`: runs come and are abandoned while others are under way.
  RunPool(Engine& engine, int batch, RunSource& source, bool is_live)
      : engine_(engine), batch_(static_cast<std::size_t>(batch)), source_(source), is_live_(is_live) {
    check(batch >= 1 && batch <= kMaxStepRows, "a batch of 1 to 16 runs");
  }

  void run() {
    while (true) {
      admit();
      if (active_.empty() && !waiting_ && source_.is_exhausted()) return;
      observe();
      // Round robin over the models: each runs all that wait for it until one of their requests has ended.
      for (const Role role : {Role::target, Role::draft}) run_waiting(role);
      for (const auto& run : active_) run->look_for_end();
      std::erase_if(active_, [](const std::unique_ptr<ActiveRun>& run) {
        if (run->waits_for()) return false;
        run->finish();
        return true;
      });
      observe();
    }
  }

 private:
  /// Takes runs in while there is room for them.
  void admit() {
    while (active_.size() < batch_) {
      if (!waiting_) waiting_ = source_.next(/*idle=*/active_.empty());
      if (!waiting_) return;
      if (!may_begin(*waiting_)) {
        waiting_.reset();
        continue;
      }
      // compat original may reach beyond its limit, into what the context has left.
      const std::int64_t room =
          batch_ == 1 ? engine_.capacity() : std::min(engine_.capacity(), most_tokens(waiting_->setup));
      const std::optional<Sequences> sequences = open(room, has_own_ids(waiting_->setup));
      if (!sequences) {
        check(!active_.empty(), "a run that is alone has room");
        return;
      }
      active_.push_back(
          std::make_unique<ActiveRun>(engine_, *sequences, room, std::move(*std::exchange(waiting_, std::nullopt))));
    }
  }

  /// False for a run that nobody waits for any more, or that was refused.
  bool may_begin(const ScheduledRun& run) const {
    if (run.options.abandoned && run.options.abandoned()) return false;
    try {
      check_room(engine_, run.setup);
      return true;
    } catch (const UserError& error) {
      if (!run.refused) throw;
      run.refused(error);
      return false;
    }
  }

  std::optional<Sequences> open(std::int64_t room, bool one_each) {
    if (!one_each) {
      const std::optional<int> both = engine_.open(room);
      return both ? std::optional<Sequences>({*both, *both}) : std::nullopt;
    }
    Sequences sequences{};
    const std::optional<int> of_target = engine_.open(room, Role::target);
    if (!of_target) return std::nullopt;
    const std::optional<int> of_draft = engine_.open(room, Role::draft);
    if (!of_draft) {
      engine_.close(*of_target);
      return std::nullopt;
    }
    sequences[static_cast<std::size_t>(Role::target)] = *of_target;
    sequences[static_cast<std::size_t>(Role::draft)] = *of_draft;
    return sequences;
  }

  /// With what the requests of compat original can reach beyond max_tokens: a segment, a takeover, recap words.
  static std::int64_t most_tokens(const RunSetup& setup) {
    constexpr std::int64_t kOvershoot = 2048;
    const std::int64_t context =
        std::max<std::int64_t>(setup.max_model_len, static_cast<std::int64_t>(setup.prompt.size()) + 1);
    return std::min(context, tokens_needed(setup) + kOvershoot);
  }

  void run_waiting(Role role) {
    std::vector<int> sequences;
    for (const auto& run : active_) {
      if (run->waits_for() == role) sequences.push_back(run->sequence(role));
    }
    if (sequences.empty()) return;
    TurnLength& turn = turns_[static_cast<std::size_t>(role)];
    const int steps = is_live_ ? turn.steps : 0;
    const Stopwatch watch;
    const std::vector<int> ended = engine_.run(sequences, steps);
    if (ended.empty()) turn.adjust(watch.seconds());
    for (const auto& run : active_) {
      if (run->waits_for() == role && std::ranges::find(ended, run->sequence(role)) != ended.end()) run->resume();
    }
  }

  void observe() {
    PoolStatus status;
    status.running = static_cast<int>(active_.size());
    status.waiting_for_target = static_cast<int>(
        std::ranges::count_if(active_, [](const auto& run) { return run->waits_for() == Role::target; }));
    source_.observe(status);
  }

  /// Steps of a model that take about kTurnSeconds. They change no token: a request goes on in the next turn.
  struct TurnLength {
    int steps = 4;

    /// After a turn of all its steps.
    void adjust(double seconds) {
      const double fitting = kTurnSeconds * steps / std::max(seconds, 1e-6);
      steps = std::clamp(static_cast<int>(std::min(fitting, 2.0 * steps)), 1, kMaxTurnSteps);
    }
  };

  Engine& engine_;
  std::size_t batch_;
  RunSource& source_;
  bool is_live_;
  std::array<TurnLength, 2> turns_;      // by Role
  std::optional<ScheduledRun> waiting_;  // has no room yet
  std::vector<std::unique_ptr<ActiveRun>> active_;
};

/// Runs that are all there.
class GivenRuns final : public RunSource {
 public:
  explicit GivenRuns(const std::function<std::optional<ScheduledRun>()>& next) : next_(next) {}

  std::optional<ScheduledRun> next(bool) override {
    if (exhausted_) return std::nullopt;
    std::optional<ScheduledRun> run = next_();
    exhausted_ = !run;
    return run;
  }
  bool is_exhausted() override { return exhausted_; }
  void observe(const PoolStatus&) override {}

 private:
  const std::function<std::optional<ScheduledRun>()>& next_;
  bool exhausted_ = false;
};

}  // namespace

std::int64_t tokens_needed(const RunSetup& setup) {
  const auto prompt = static_cast<std::int64_t>(setup.prompt.size());
  return std::min<std::int64_t>(prompt + setup.max_tokens, std::max<std::int64_t>(setup.max_model_len, prompt));
}

EngineRun run_schedule(Engine& engine, RunSetup setup, const RunOptions& options) {
  std::optional<EngineRun> outcome;
  bool given = false;
  run_schedules(engine, 1, [&]() -> std::optional<ScheduledRun> {
    if (std::exchange(given, true)) return std::nullopt;
    return ScheduledRun{std::move(setup), options, [&](EngineRun run) { outcome = std::move(run); }};
  });
  return std::move(*outcome);
}

void run_schedules(Engine& engine, int batch, const std::function<std::optional<ScheduledRun>()>& next) {
  GivenRuns runs(next);
  RunPool(engine, batch, runs, /*is_live=*/false).run();
}

void run_schedules(Engine& engine, int batch, RunSource& source) {
  RunPool(engine, batch, source, /*is_live=*/true).run();
}

}  // namespace specthink::inline engine
