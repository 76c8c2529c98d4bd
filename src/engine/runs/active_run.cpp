#include "engine/runs/active_run.h"

#include <algorithm>
#include <utility>

namespace specthink::inline engine {
namespace {

/// Whether what is written for this purpose is part of the text whatever follows.
bool stays(Purpose purpose) { return purpose == Purpose::segment || purpose == Purpose::takeover; }

Proposals totals(const ProposalCounts& counts) {
  return {static_cast<int>(counts.num_proposed()), static_cast<int>(counts.num_accepted())};
}

}  // namespace

void Streamer::settle(const Schedule& schedule) {
  if (as_text_) {
    const auto pieces = schedule.settled_text();
    for (; shown_ < pieces.size(); ++shown_) {
      if (options_.on_text) options_.on_text(pieces[shown_]);
    }
    return;
  }
  const auto ids = schedule.settled_ids();
  const auto origins = schedule.settled_origins();
  const auto logprobs = schedule.settled_logprobs();
  for (; shown_ < ids.size(); ++shown_) {
    if (!options_.on_token) continue;
    options_.on_token({ids[shown_], origins[shown_], logprobs.empty() ? kNotMeasured : logprobs[shown_]});
  }
}

TokenSink Streamer::live(const Request& request, std::size_t prompt_size) {
  const bool at_end = request.prefix.size() == prompt_size + shown_;
  if (!options_.on_token || !stays(request.purpose) || !at_end || as_text_) return {};
  const Origin origin = request.role == Role::target ? Origin::target : Origin::draft;
  return [this, origin](TokenId id, float logprob) {
    ++shown_;
    options_.on_token({id, origin, logprob});
  };
}

bool has_own_ids(const RunSetup& setup) { return setup.settings.mode == Mode::vllm_p && !setup.normal_mode; }

ActiveRun::ActiveRun(Engine& engine, const Sequences& sequences, std::int64_t room, ScheduledRun run)
    : engine_(engine),
      sequences_(sequences),
      room_(room),
      run_(std::move(run)),
      streamer_(run_.options, has_own_ids(run_.setup)) {
  prompt_size_ = run_.setup.prompt.size();
  ignore_eos_ = run_.setup.ignore_eos;
  run_.setup.draw = run_.options.draw;
  run_.setup.elapsed_seconds = [watch = watch_] { return watch.seconds(); };
  schedule_ = run_.make(std::move(run_.setup));
  next_request();
}

void ActiveRun::resume() {
  Generation generation = engine_.take(sequence(*role_));
  account(generation);
  schedule_->resume(generation.ids, generation.reason, generation.measured);
  streamer_.settle(*schedule_);
  next_request();
}

void ActiveRun::account(Generation& generation) {
  (*role_ == Role::target ? outcome_.target : outcome_.draft) += generation.times;
  proposals_.ngram += generation.ngram;
  proposals_.draft_model += generation.draft_model;
  if (generation.ids.empty()) return;  // of a reading
  generation.measured.written = {generation.steps, totals(generation.ngram), totals(generation.draft_model)};
}

void ActiveRun::look_for_end() {
  if (!role_ || !run_.options.abandoned || !run_.options.abandoned()) return;
  Generation generation = engine_.withdraw(sequence(*role_));
  account(generation);
  // What stays is text that somebody may have read.
  if (!generation.ids.empty() && stays(purpose_)) {
    schedule_->resume(generation.ids, EndReason::length, generation.measured);
  }
  if (schedule_->request()) schedule_->interrupt();
  role_.reset();
}

void ActiveRun::finish() {
  outcome_.result = schedule_->result();
  if (out_of_context_) outcome_.result.finish_reason = FinishReason::length;
  outcome_.result.ledger.draft_prefilled = outcome_.draft.prefilled;
  outcome_.result.ledger.target_prefilled = outcome_.target.prefilled;
  outcome_.result.ledger.draft_prefilled += outcome_.target.proposal_prefilled;
  outcome_.result.ledger.draft_wasted += proposals_.draft_model.num_proposed() - proposals_.draft_model.num_accepted();
  outcome_.result.ledger.ngram = proposals_.ngram;
  outcome_.result.ledger.draft_model = proposals_.draft_model;
  outcome_.seconds = watch_.seconds();
  engine_.close(sequences_[0]);
  if (sequences_[1] != sequences_[0]) engine_.close(sequences_[1]);
  run_.done(std::move(outcome_));
}

/// Starts the schedule's request, unless the run ends here.
void ActiveRun::next_request() {
  role_.reset();
  const Request* const request = schedule_->request();
  if (!request) return;
  if (run_.options.interrupted && run_.options.interrupted()) return schedule_->interrupt();
  const RunOptions& options = run_.options;
  if (!request->read_ids.empty()) {
    if (std::cmp_greater(request->prefix.size() + request->suffix.size() + 1, room_)) {
      schedule_->resume({}, EndReason::length);  // a reading that does not fit is none
      return next_request();
    }
    engine_.start(sequence(request->role), *request, {options.sampling, options.draw, ignore_eos_, false});
    role_ = request->role;
    purpose_ = request->purpose;
    return;
  }
  // compat original overshoots its limit; a request then gets what the context has left, as in vLLM.
  Request cut = *request;
  cut.max_tokens =
      static_cast<int>(std::min<std::int64_t>(cut.max_tokens, room_ - static_cast<std::int64_t>(cut.prefix.size())));
  if (cut.max_tokens <= 0) {
    out_of_context_ = true;
    return schedule_->interrupt();
  }
  engine_.start(sequence(request->role), cut, {options.sampling, options.draw, ignore_eos_, options.speculates},
                streamer_.live(*request, prompt_size_));
  role_ = request->role;
  purpose_ = request->purpose;
}

}  // namespace specthink::inline engine
