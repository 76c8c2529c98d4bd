#include "schedule/run_state.h"

#include <algorithm>
#include <utility>

#include "specthink/base/error.h"

namespace specthink::inline schedule {
namespace {

const char* trace_name(Purpose purpose) {
  switch (purpose) {
    case Purpose::segment:
      return "draft";
    case Purpose::probe:
      return "probe";
    case Purpose::answer:
    case Purpose::takeover:
      return "target";
  }
  return "";
}

}  // namespace

RunState::RunState(RunSetup setup, int limit) : setup_(std::move(setup)), limit_(limit), ids_(setup_.prompt) {}

RunState::Answer RunState::ask_segment(int max_tokens, StopAutomaton::State state) {
  return ask(Request{.role = Role::draft,
                     .purpose = Purpose::segment,
                     .prefix = {},
                     .max_tokens = max_tokens,
                     .stop_at_trigger = true,
                     .stop_state = state},
             {});
}

RunState::Answer RunState::ask(Purpose purpose, int max_tokens, std::span<const TokenId> ahead) {
  return ask(Request{.role = role_of(purpose), .purpose = purpose, .prefix = {}, .max_tokens = max_tokens}, ahead);
}

RunState::Answer RunState::ask(Request request, std::span<const TokenId> ahead) {
  check(!request_, "a loop asks for one request at a time");
  if (finished()) return Answer{this};
  request.max_tokens = std::min(request.max_tokens, left() - static_cast<int>(ahead.size()));
  if (request.max_tokens <= 0) {
    finish(FinishReason::length);
    return Answer{this};
  }
  ids_.insert(ids_.end(), ahead.begin(), ahead.end());
  return wait_for(request, ids_);
}

RunState::Answer RunState::ask_after(Purpose purpose, int max_tokens, TokenIds prefix, bool stop_at_trigger) {
  check(!request_, "a loop asks for one request at a time");
  if (finished()) return Answer{this};
  const int room = setup_.max_model_len - static_cast<int>(prefix.size());
  if (room <= 0) {
    finish(FinishReason::length);
    return Answer{this};
  }
  own_prefix_ = std::move(prefix);
  return wait_for(Request{.role = role_of(purpose),
                          .purpose = purpose,
                          .prefix = {},
                          .max_tokens = std::min(max_tokens, room),
                          .stop_at_trigger = stop_at_trigger},
                  own_prefix_);
}

RunState::Answer RunState::wait_for(Request request, std::span<const TokenId> prefix) {
  request.prefix = prefix;
  request_ = request;
  request_start_ms_ = elapsed_ms();
  return Answer{this};
}

void RunState::answer(std::span<const TokenId> ids, EndReason reason) {
  check(request_.has_value(), "tokens came for a run that asked for none");
  check(!ids.empty() && ids.size() <= static_cast<std::size_t>(request_->max_tokens),
        "a request is answered with 1 to max_tokens tokens");
  check(reason != EndReason::trigger || request_->stop_at_trigger, "a trigger ends only what is to stop at one");
  check(reason != EndReason::eos || !setup_.ignore_eos, "an EOS that is ignored ends nothing");
  reply_ = {TokenIds(ids.begin(), ids.end()), reason};
  answered_[static_cast<std::size_t>(request_->role)] += static_cast<std::int64_t>(ids.size());
  Segment segment{.by = trace_name(request_->purpose), .tokens = static_cast<int>(ids.size())};
  if (setup_.elapsed_seconds) {
    segment.start_ms = request_start_ms_;
    segment.ms = elapsed_ms() - request_start_ms_;
  }
  segments_.push_back(std::move(segment));
  request_.reset();
  ids_.resize(prompt_size() + generated());
}

void RunState::append(std::span<const TokenId> ids, Origin origin) {
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  origins_.insert(origins_.end(), ids.size(), origin);
  settled_ = generated();
}

void RunState::inject(std::span<const TokenId> ids) {
  ids = ids.first(std::min(ids.size(), static_cast<std::size_t>(left())));
  if (ids.empty()) return;
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  origins_.insert(origins_.end(), ids.size(), Origin::injected);
  Segment segment{.by = "inject", .tokens = static_cast<int>(ids.size())};
  if (setup_.elapsed_seconds) {
    segment.start_ms = elapsed_ms();
    segment.ms = 0;
  }
  segments_.push_back(std::move(segment));
}

void RunState::withdraw() {
  ids_.resize(prompt_size() + settled_);
  origins_.resize(settled_);
}

void RunState::finish(FinishReason reason) {
  if (finished()) return;
  finish_reason_ = reason;
  request_.reset();
  ids_.resize(prompt_size() + generated());
  // At the limit injected words stand as the last text; cut short from outside, nobody was to stop after them.
  if (reason == FinishReason::time_out || reason == FinishReason::interrupted) withdraw();
  settled_ = generated();
}

bool RunState::timed_out() const {
  return settings().time_out > 0 && setup_.elapsed_seconds && setup_.elapsed_seconds() > settings().time_out;
}

bool RunState::has_eos(std::span<const TokenId> ids) const {
  return !setup_.ignore_eos && std::ranges::find_first_of(ids, setup_.eos_ids) != ids.end();
}

std::string RunState::decode(std::span<const TokenId> ids) const {
  return setup_.tokenizer->decode(ids, /*skip_special_tokens=*/true);
}

double RunState::elapsed_ms() const { return setup_.elapsed_seconds ? setup_.elapsed_seconds() * 1000 : -1; }

RunResult RunState::result() const {
  check(finished(), "a run has no result before it ends");
  RunResult result;
  result.ids.assign(settled_ids().begin(), settled_ids().end());
  result.origins = origins_;
  result.finish_reason = *finish_reason_;
  Ledger& ledger = result.ledger;
  ledger.draft = std::ranges::count(origins_, Origin::draft);
  ledger.target = std::ranges::count(origins_, Origin::target);
  ledger.injected = std::ranges::count(origins_, Origin::injected);
  ledger.draft_wasted = answered_[static_cast<std::size_t>(Role::draft)] - ledger.draft;
  ledger.target_wasted = answered_[static_cast<std::size_t>(Role::target)] - ledger.target;
  ledger.nominal_target_tokens = nominal_target_tokens_;
  result.log = log_;
  result.num_validations = num_validations_;
  result.segments = segments_;
  return result;
}

}  // namespace specthink::inline schedule
