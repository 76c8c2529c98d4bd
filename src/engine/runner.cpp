#include "specthink/engine/runner.h"

#include <algorithm>
#include <chrono>

namespace specthink {
namespace {

/// Passes tokens on to the user as soon as they are certain to stay: those of a segment or takeover while they are
/// sampled, all others when the schedule has settled them.
class Streamer {
 public:
  explicit Streamer(const RunOptions& options) : options_(options) {}

  void settle(const Schedule& schedule) {
    const auto ids = schedule.settled_ids();
    const auto origins = schedule.settled_origins();
    for (; shown_ < ids.size(); ++shown_) emit(ids[shown_], origins[shown_]);
  }

  /// A sink for the tokens of `request`, or none when they may yet be thrown away.
  std::function<void(TokenId)> live(const Request& request, std::size_t prompt_size) {
    const bool stays = request.purpose == Purpose::segment || request.purpose == Purpose::takeover;
    const bool at_end = request.prefix.size() == prompt_size + shown_;
    if (!options_.on_token || !stays || !at_end) return {};
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
  std::size_t shown_ = 0;
};

}  // namespace

std::int64_t tokens_needed(const RunSetup& setup) {
  const auto prompt = static_cast<std::int64_t>(setup.prompt.size());
  return std::min<std::int64_t>(prompt + setup.max_tokens, std::max<std::int64_t>(setup.max_model_len, prompt));
}

EngineRun run_schedule(Engine& engine, RunSetup setup, const RunOptions& options) {
  const std::size_t prompt_size = setup.prompt.size();
  const std::int64_t needed = tokens_needed(setup);
  if (needed > engine.capacity() && prompt_size < static_cast<std::size_t>(setup.max_model_len)) {
    throw UserError(
        "the KV cache holds {} tokens, but a prompt of {} and up to {} new tokens need {}: lower --max-tokens, or give "
        "the "
        "models more memory (`specthink plan` shows which --gpu-memory-utilization fits)",
        engine.capacity(), prompt_size, needed - static_cast<std::int64_t>(prompt_size), needed);
  }
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [start] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  setup.elapsed_seconds = elapsed;
  const bool ignore_eos = setup.ignore_eos;
  const std::unique_ptr<Schedule> schedule = make_schedule(std::move(setup));

  EngineRun run;
  Streamer streamer(options);
  bool out_of_context = false;
  while (const Request* request = schedule->request()) {
    if (options.interrupted && options.interrupted()) {
      schedule->interrupt();
      break;
    }
    // compat seed overshoots its limit; a request then gets what the context has left, as in vLLM.
    Request cut = *request;
    cut.max_tokens = static_cast<int>(
        std::min<std::int64_t>(cut.max_tokens, engine.capacity() - static_cast<std::int64_t>(cut.prefix.size())));
    if (cut.max_tokens <= 0) {
      schedule->interrupt();
      out_of_context = true;
      break;
    }
    const Role role = request->role;
    if (request->purpose == Purpose::takeover) ++run.takeovers;
    const Generation generation =
        engine.generate(cut, options.sampling, options.draw, ignore_eos, streamer.live(*request, prompt_size));
    (role == Role::target ? run.target : run.draft) += generation.times;
    schedule->resume(generation.ids, generation.reason);
    streamer.settle(*schedule);
  }
  run.result = schedule->result();
  if (out_of_context) run.result.finish_reason = FinishReason::length;
  run.result.ledger.draft_prefilled = run.draft.prefilled;
  run.result.ledger.target_prefilled = run.target.prefilled;
  run.seconds = elapsed();
  return run;
}

}  // namespace specthink
