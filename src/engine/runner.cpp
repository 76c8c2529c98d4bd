#include "specthink/engine/runner.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "specthink/base/error.h"

namespace specthink::inline engine {
namespace {

/// Passes tokens on to the user as soon as they are certain to stay: those of a segment or takeover while they are
/// sampled, all others when the schedule has settled them.
class Streamer {
 public:
  Streamer(const RunOptions& options, bool as_text) : options_(options), as_text_(as_text) {}

  void settle(const Schedule& schedule) {
    if (as_text_) {
      const auto pieces = schedule.settled_text();
      for (; shown_ < pieces.size(); ++shown_) {
        if (options_.on_text) options_.on_text(pieces[shown_]);
      }
      return;
    }
    const auto ids = schedule.settled_ids();
    const auto origins = schedule.settled_origins();
    for (; shown_ < ids.size(); ++shown_) emit(ids[shown_], origins[shown_]);
  }

  /// A sink for the tokens of `request`, or none when they may yet be thrown away.
  std::function<void(TokenId)> live(const Request& request, std::size_t prompt_size) {
    const bool stays = request.purpose == Purpose::segment || request.purpose == Purpose::takeover;
    const bool at_end = request.prefix.size() == prompt_size + shown_;
    if (!options_.on_token || !stays || !at_end || as_text_) return {};
    const Origin origin = request.role == Role::target ? Origin::target : Origin::draft;
    return [this, origin](TokenId id) {
      ++shown_;
      emit(id, origin);
    };
  }

 private:
  void emit(TokenId id, Origin origin) {
    if (options_.on_token) options_.on_token(id, origin);
  }

  const RunOptions& options_;
  bool as_text_;
  std::size_t shown_ = 0;  // tokens, or pieces of text
};

/// Whether each model has ids of its own for the text.
bool has_own_ids(const RunSetup& setup) { return setup.settings.mode == Mode::vllm_p && !setup.normal_mode; }

/// A run's sequences by Role: one for both models, or one for each.
using Sequences = std::array<int, 2>;

/// A run and its sequence, from its first request to its result.
class ActiveRun {
 public:
  ActiveRun(Engine& engine, const Sequences& sequences, std::int64_t room, ScheduledRun run)
      : engine_(engine),
        sequences_(sequences),
        room_(room),
        run_(std::move(run)),
        streamer_(run_.options, has_own_ids(run_.setup)) {
    const auto start = std::chrono::steady_clock::now();
    elapsed_ = [start] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
    prompt_size_ = run_.setup.prompt.size();
    ignore_eos_ = run_.setup.ignore_eos;
    run_.setup.elapsed_seconds = elapsed_;
    schedule_ = make_schedule(std::move(run_.setup));
    next_request();
  }
  ActiveRun(const ActiveRun&) = delete;
  ActiveRun& operator=(const ActiveRun&) = delete;

  int sequence(Role role) const { return sequences_[static_cast<std::size_t>(role)]; }

  /// The model that the run waits for; none when it is over.
  std::optional<Role> waits_for() const { return role_; }

  /// The request has ended.
  void resume() {
    const Generation generation = engine_.take(sequence(*role_));
    (*role_ == Role::target ? outcome_.target : outcome_.draft) += generation.times;
    proposals_.ngram += generation.ngram;
    proposals_.draft_model += generation.draft_model;
    schedule_->resume(generation.ids, generation.reason);
    streamer_.settle(*schedule_);
    next_request();
  }

  /// After the last request.
  void finish() {
    outcome_.result = schedule_->result();
    if (out_of_context_) outcome_.result.finish_reason = FinishReason::length;
    outcome_.result.ledger.draft_prefilled = outcome_.draft.prefilled;
    outcome_.result.ledger.target_prefilled = outcome_.target.prefilled;
    outcome_.result.ledger.draft_prefilled += outcome_.target.proposal_prefilled;
    outcome_.result.ledger.draft_wasted +=
        proposals_.draft_model.num_proposed() - proposals_.draft_model.num_accepted();
    outcome_.result.ledger.ngram = proposals_.ngram;
    outcome_.result.ledger.draft_model = proposals_.draft_model;
    outcome_.seconds = elapsed_();
    engine_.close(sequences_[0]);
    if (sequences_[1] != sequences_[0]) engine_.close(sequences_[1]);
    run_.done(std::move(outcome_));
  }

 private:
  /// Starts the schedule's request, unless the run ends here.
  void next_request() {
    role_.reset();
    const Request* const request = schedule_->request();
    if (!request) return;
    if (run_.options.interrupted && run_.options.interrupted()) return schedule_->interrupt();
    // compat original overshoots its limit; a request then gets what the context has left, as in vLLM.
    Request cut = *request;
    cut.max_tokens =
        static_cast<int>(std::min<std::int64_t>(cut.max_tokens, room_ - static_cast<std::int64_t>(cut.prefix.size())));
    if (cut.max_tokens <= 0) {
      out_of_context_ = true;
      return schedule_->interrupt();
    }
    const RunOptions& options = run_.options;
    engine_.start(sequence(request->role), cut, {options.sampling, options.draw, ignore_eos_, options.speculates},
                  streamer_.live(*request, prompt_size_));
    role_ = request->role;
  }

  Engine& engine_;
  Sequences sequences_;
  std::int64_t room_;  // tokens that the sequence can have
  ScheduledRun run_;
  Streamer streamer_;
  std::function<double()> elapsed_;
  std::size_t prompt_size_ = 0;
  bool ignore_eos_ = false;
  bool out_of_context_ = false;
  std::unique_ptr<Schedule> schedule_;
  std::optional<Role> role_;
  Ledger proposals_;  // of its counts, those of the proposers
  EngineRun outcome_;
};

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
  RunPool(Engine& engine, int batch, const std::function<std::optional<ScheduledRun>()>& next)
      : engine_(engine), batch_(static_cast<std::size_t>(batch)), next_(next) {
    check(batch >= 1 && batch <= kMaxStepRows, "a batch of 1 to 16 runs");
  }

  void run() {
    while (true) {
      admit();
      if (active_.empty()) return;
      // Round robin over the models: each runs all that wait for it until one of their requests has ended.
      for (const Role role : {Role::target, Role::draft}) run_waiting(role);
      std::erase_if(active_, [](const std::unique_ptr<ActiveRun>& run) {
        if (run->waits_for()) return false;
        run->finish();
        return true;
      });
    }
  }

 private:
  /// Takes runs in while there is room for them.
  void admit() {
    while (active_.size() < batch_) {
      if (!waiting_ && !exhausted_) waiting_ = next_();
      exhausted_ = !waiting_;
      if (!waiting_) return;
      check_room(engine_, waiting_->setup);
      // compat original may reach beyond its limit, into what the context has left.
      const std::int64_t room =
          batch_ == 1 ? engine_.capacity() : std::min(engine_.capacity(), most_tokens(waiting_->setup));
      const std::optional<Sequences> sequences = open(room, has_own_ids(waiting_->setup));
      if (!sequences) {
        check(!active_.empty(), "a run that is alone has room");
        return;
      }
      active_.push_back(std::make_unique<ActiveRun>(engine_, *sequences, room, std::move(*waiting_)));
      waiting_.reset();
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
    const std::vector<int> ended = engine_.run(sequences);
    for (const auto& run : active_) {
      if (run->waits_for() == role && std::ranges::find(ended, run->sequence(role)) != ended.end()) run->resume();
    }
  }

  Engine& engine_;
  std::size_t batch_;
  const std::function<std::optional<ScheduledRun>()>& next_;
  std::optional<ScheduledRun> waiting_;  // has no room yet
  bool exhausted_ = false;               // next_ has given no more
  std::vector<std::unique_ptr<ActiveRun>> active_;
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
  RunPool(engine, batch, next).run();
}

}  // namespace specthink::inline engine
