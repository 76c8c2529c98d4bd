#include "specthink/engine/runner.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "engine/runs/active_run.h"
#include "engine/runs/turn_order.h"
#include "specthink/base/error.h"
#include "specthink/base/log.h"
#include "specthink/base/stopwatch.h"

namespace specthink::inline engine {
namespace {

// A turn of a model lasts about so long where new runs may come: they wait for half of it on average.
constexpr double kTurnSeconds = 0.012;
constexpr int kMaxTurnSteps = 64;
// After a run has come or gone, turns begin short, and each is twice the one before: a client that has its answer asks
// again at once, and the others of a burst are on their way.
constexpr int kFirstTurnSteps = 2;

// What a sequence's pages have room for beyond its tokens when a turn begins.
constexpr std::int64_t kMarginTokens = kPageTokens;
// Of a long prefill so many rows run in a turn, so that the others go on.
constexpr std::int64_t kPrefillRows = 512;

void check_room(const Engine& engine, const RunSetup& setup) {
  const auto prompt = static_cast<std::int64_t>(setup.prompt.size());
  const std::int64_t needed = tokens_needed(setup);
  if (needed <= engine.capacity() || prompt >= setup.max_model_len) return;
  throw UserError(
      "the KV cache holds {} tokens, but a prompt of {} and up to {} new tokens need {}: lower --max-tokens, or give "
      "the models more memory (`specthink plan` shows which --gpu-memory-utilization fits)",
      engine.capacity(), prompt, needed - prompt, needed);
}

/// Runs that share an engine, the oldest first.
class RunPool {
 public:
  /// `is_live`: runs come and are abandoned while others are under way.
  RunPool(Engine& engine, const BatchOptions& options, RunSource& source, bool is_live)
      : engine_(engine), options_(options), source_(source), is_live_(is_live) {
    check(options_.runs >= 1 && options_.runs <= engine_.max_sequences(), "a batch that the engine takes");
  }

  void run() {
    while (true) {
      admit();
      if (active_.empty() && !waiting_ && source_.is_exhausted()) return;
      observe();
      // The models take turns: in each, all runs that wait for the model share its steps.
      const Role role = order_.next(count_waiting());
      if (!take_turn(role)) take_turn(role == Role::target ? Role::draft : Role::target);
      for (const auto& run : active_) run->look_for_end();
      std::erase_if(active_, [this](const std::unique_ptr<ActiveRun>& run) {
        if (run->waits_for()) return false;
        run->finish();
        shorten_turns();
        return true;
      });
      observe();
    }
  }

 private:
  /// Takes runs in while there is room for them. Those that gave their part of the cache back come first.
  void admit() {
    while (std::cmp_less(active_.size(), options_.runs)) {
      if (std::ranges::any_of(active_, [this](const auto& run) { return !has_pages(*run); })) return;
      if (!waiting_) waiting_ = source_.next(/*idle=*/active_.empty());
      if (!waiting_) return;
      if (!may_begin(*waiting_)) {
        waiting_.reset();
        continue;
      }
      // compat original may reach beyond its limit, into what the context has left.
      const bool is_alone = options_.runs == 1;
      const std::int64_t room =
          is_alone ? engine_.capacity() : std::min(engine_.capacity(), most_tokens(waiting_->setup));
      const auto prompt = static_cast<std::int64_t>(waiting_->setup.prompt.size());
      const std::int64_t reserved = is_alone || options_.reserve ? room : std::min(room, prompt + kMarginTokens);
      // The others will need another page soon.
      const auto margin = options_.reserve ? 0 : static_cast<std::int64_t>(active_.size());
      const bool fits = active_.empty() || engine_.num_free_pages() >= pages_for(reserved) + margin;
      const std::optional<Sequences> sequences =
          fits ? open(room, reserved, has_own_ids(waiting_->setup)) : std::nullopt;
      if (!sequences) {
        check(!active_.empty(), "a run that is alone has room");
        return;
      }
      active_.push_back(
          std::make_unique<ActiveRun>(engine_, *sequences, room, std::move(*std::exchange(waiting_, std::nullopt))));
      shorten_turns();
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

  std::optional<Sequences> open(std::int64_t room, std::int64_t reserved, bool one_each) {
    if (!one_each) {
      const std::optional<int> both = engine_.open(room, reserved, std::nullopt);
      return both ? std::optional<Sequences>({*both, *both}) : std::nullopt;
    }
    Sequences sequences{};
    const std::optional<int> of_target = engine_.open(room, reserved, Role::target);
    if (!of_target) return std::nullopt;
    const std::optional<int> of_draft = engine_.open(room, reserved, Role::draft);
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

  bool has_pages(const ActiveRun& run) const {
    return std::ranges::any_of(run.sequences(), [this](int sequence) { return engine_.has_pages(sequence); });
  }

  void preempt(const ActiveRun& run) {
    engine_.evict(run.sequences()[0]);
    if (run.sequences()[1] != run.sequences()[0]) engine_.evict(run.sequences()[1]);
    ++preemptions_;
  }

  /// Pages for what a turn may write. Where there are none, younger runs give theirs back, the youngest first; where no
  /// younger run has any, this one does, and waits.
  bool make_room(std::size_t index, Role role) {
    const ActiveRun& run = *active_[index];
    const int sequence = run.sequence(role);
    const std::int64_t wanted = std::min(run.room(), engine_.length(sequence) + kMarginTokens);
    // One that lost its pages comes back when the older ones can go on for a while.
    const auto needed = pages_for(wanted) + static_cast<std::int64_t>(index);
    if (!has_pages(run) && engine_.num_free_pages() < needed && index > 0) return false;
    while (!engine_.reserve(sequence, wanted)) {
      const auto younger = std::find_if(active_.rbegin(), active_.rend() - static_cast<std::ptrdiff_t>(index) - 1,
                                        [this](const auto& other) { return has_pages(*other); });
      if (younger != active_.rend() - static_cast<std::ptrdiff_t>(index) - 1) {
        preempt(**younger);
        continue;
      }
      check(index > 0, "the oldest run has room when no other has any");
      if (has_pages(run)) preempt(run);
      return false;
    }
    return true;
  }

  /// Runs that wait for each model, by Role.
  std::array<int, 2> count_waiting() const {
    std::array<int, 2> waiting{};
    for (const auto& run : active_) {
      if (const std::optional<Role> role = run->waits_for()) ++waiting[static_cast<std::size_t>(*role)];
    }
    return waiting;
  }

  /// False where no run of the turn has room.
  bool take_turn(Role role) {
    std::vector<std::size_t> runs;
    for (std::size_t i = 0; i < active_.size(); ++i) {
      if (active_[i]->waits_for() == role) runs.push_back(i);
    }
    const auto most = static_cast<std::size_t>(engine_.max_sequences_of_step(role));
    std::vector<int> sequences;
    for (const std::size_t i : members_[static_cast<std::size_t>(role)].choose(std::move(runs), most)) {
      if (make_room(i, role)) sequences.push_back(active_[i]->sequence(role));
    }
    // A run that was chosen may have lost its pages to an older one: not here, as the older ones choose first.
    if (sequences.empty()) return false;
    const std::array<int, 2> waiting = count_waiting();
    const int others = waiting[1 - static_cast<std::size_t>(role)];
    const bool is_shared = others > 0 || waiting[static_cast<std::size_t>(role)] > std::ssize(sequences);
    TurnLength& turn = turns_[static_cast<std::size_t>(role)];
    int steps = is_live_ ? turn.steps : 0;
    if (is_shared) steps = steps > 0 ? std::min(steps, kSharedTurnSteps) : kSharedTurnSteps;
    const Stopwatch watch;
    const std::vector<int> ended = engine_.run(sequences, {steps, active_.size() > 1 ? kPrefillRows : 0});
    order_.account(role, engine_.cost_of_last_run(), static_cast<int>(sequences.size()), others);
    if (is_live_ && ended.empty() && steps == turn.steps) turn.adjust(watch.seconds());
    for (const auto& run : active_) {
      if (run->waits_for() == role && std::ranges::find(ended, run->sequence(role)) != ended.end()) run->resume();
    }
    return true;
  }

  void shorten_turns() {
    for (TurnLength& turn : turns_) turn.steps = std::min(turn.steps, kFirstTurnSteps);
  }

  void observe() {
    PoolStatus status;
    status.running = static_cast<int>(active_.size());
    status.waiting_for_target = static_cast<int>(
        std::ranges::count_if(active_, [](const auto& run) { return run->waits_for() == Role::target; }));
    status.preemptions = preemptions_;
    source_.observe(status);
  }

  /// Steps of a model that take about kTurnSeconds. They change no token: a request goes on in the next turn.
  struct TurnLength {
    int steps = kFirstTurnSteps;

    /// After a turn of all its steps.
    void adjust(double seconds) {
      const double fitting = kTurnSeconds * steps / std::max(seconds, 1e-6);
      steps = std::clamp(static_cast<int>(std::min(fitting, 2.0 * steps)), 1, kMaxTurnSteps);
    }
  };

  Engine& engine_;
  BatchOptions options_;
  RunSource& source_;
  bool is_live_;
  TurnOrder order_;
  std::array<TurnLength, 2> turns_;      // by Role
  std::array<TurnMembers, 2> members_;   // by Role
  std::optional<ScheduledRun> waiting_;  // has no room yet
  std::vector<std::unique_ptr<ActiveRun>> active_;
  std::int64_t preemptions_ = 0;
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
  void observe(const PoolStatus& status) override { preemptions_ = status.preemptions; }

  std::int64_t preemptions() const { return preemptions_; }

 private:
  const std::function<std::optional<ScheduledRun>()>& next_;
  bool exhausted_ = false;
  std::int64_t preemptions_ = 0;
};

}  // namespace

std::int64_t tokens_needed(const RunSetup& setup) {
  const auto prompt = static_cast<std::int64_t>(setup.prompt.size());
  return std::min<std::int64_t>(prompt + setup.max_tokens, std::max<std::int64_t>(setup.max_model_len, prompt));
}

EngineRun run_schedule(Engine& engine, RunSetup setup, const RunOptions& options) {
  std::optional<EngineRun> outcome;
  bool given = false;
  run_schedules(engine, {}, [&]() -> std::optional<ScheduledRun> {
    if (std::exchange(given, true)) return std::nullopt;
    return ScheduledRun{
        .setup = std::move(setup), .options = options, .done = [&](EngineRun run) { outcome = std::move(run); }};
  });
  return std::move(*outcome);
}

void run_schedules(Engine& engine, const BatchOptions& batch,
                   const std::function<std::optional<ScheduledRun>()>& next) {
  GivenRuns runs(next);
  RunPool(engine, batch, runs, /*is_live=*/false).run();
  if (runs.preemptions() > 0) {
    spdlog::info(
        "the KV cache was full {} times: a run gave its part back and was prefilled again (--reserve, or a "
        "smaller --batch, avoids it)",
        runs.preemptions());
  }
}

void run_schedules(Engine& engine, const BatchOptions& batch, RunSource& source) {
  RunPool(engine, batch, source, /*is_live=*/true).run();
}

}  // namespace specthink::inline engine
