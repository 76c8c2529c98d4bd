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
    case Purpose::coin:
      break;
  }
  return "";
}

/// Whether the prompt has ended the thinking already: nothing but blanks follows its last </think>.
bool ends_thinking(std::span<const TokenId> prompt, TokenId think_end, const Tokenizer& tokenizer) {
  const auto last = std::find(prompt.rbegin(), prompt.rend(), think_end);
  if (last == prompt.rend()) return false;
  const auto behind = prompt.last(static_cast<std::size_t>(last - prompt.rbegin()));
  return tokenizer.decode(behind).find_first_not_of(" \t\r\n") == std::string::npos;
}

}  // namespace

RunState::RunState(RunSetup setup, int limit)
    : setup_(std::move(setup)), limit_(limit), thinking_(true), ids_(setup_.prompt) {
  if (setup_.tokenizer == nullptr) return;
  think_end_ = setup_.tokenizer->token_id("</think>");
  thinking_ = !think_end_ || !ends_thinking(setup_.prompt, *think_end_, *setup_.tokenizer);
}

int RunState::room() const {
  const int budget = settings().thinking_budget;
  if (budget == 0 || !thinking_) return left();
  return std::min(left(), budget - static_cast<int>(generated()));
}

RunState::Answer RunState::ask_in_time(const Wanted& wanted, std::span<const TokenId> ahead) {
  if (left() > 0 && timed_out()) finish(FinishReason::time_out);
  return ask(wanted, ahead);
}

RunState::Answer RunState::ask(const Wanted& wanted, std::span<const TokenId> ahead) {
  check(!request_, "a loop asks for one request at a time");
  if (finished()) return Answer{this};
  const int room_ahead = room() - static_cast<int>(ahead.size());
  if (room_ahead <= 0) {
    check(left() <= static_cast<int>(ahead.size()), "a thinking budget that is used up is closed before a request");
    finish(FinishReason::length);
    return Answer{this};
  }
  Request request{.role = role_of(wanted.purpose), .purpose = wanted.purpose, .prefix = {}};
  request.max_tokens = std::min(wanted.max_tokens, room_ahead);
  request.stops = wanted.stops;
  request.stop_state = wanted.stop_state;
  request.min_tokens = wanted.min_tokens;
  request.max_entropy = wanted.max_entropy;
  request.statistics = wanted.statistics;
  if (wanted.stops_at_think_end && thinking_) request.stop_token = think_end_;
  ids_.insert(ids_.end(), ahead.begin(), ahead.end());
  return wait_for(request, ids_);
}

RunState::Answer RunState::ask_after(Purpose purpose, int max_tokens, TokenIds prefix, const StopTable* stops) {
  check(!request_, "a loop asks for one request at a time");
  if (finished()) return Answer{this};
  const int context_left = setup_.max_model_len - static_cast<int>(prefix.size());
  if (context_left <= 0) {
    finish(FinishReason::length);
    return Answer{this};
  }
  own_prefix_ = std::move(prefix);
  Request request{.role = role_of(purpose), .purpose = purpose, .prefix = {}};
  request.max_tokens = std::min(max_tokens, context_left);
  request.stops = stops;
  return wait_for(request, own_prefix_);
}

RunState::Answer RunState::ask_reading(std::span<const TokenId> ahead) {
  check(!request_, "a loop asks for one request at a time");
  if (left() > 0 && timed_out()) finish(FinishReason::time_out);
  if (finished()) return Answer{this};
  ids_.insert(ids_.end(), ahead.begin(), ahead.end());
  Request request{.role = Role::target, .purpose = Purpose::answer, .prefix = {}};
  request.suffix = setup_.question;
  request.read_ids = setup_.digits;
  return wait_for(request, ids_);
}

RunState::Answer RunState::wait_for(Request request, std::span<const TokenId> prefix) {
  request.prefix = prefix;
  request.statistics |= setup_.statistics && request.read_ids.empty();
  request_ = request;
  request_start_ms_ = elapsed_ms();
  return Answer{this};
}

void RunState::check_answer(std::span<const TokenId> ids, EndReason reason, const Measured& measured) const {
  check(request_.has_value(), "tokens came for a run that asked for none");
  if (!request_->read_ids.empty()) {
    check(ids.empty(), "a reading writes nothing");
    check(measured.reading.empty() || measured.reading.size() == request_->read_ids.size(),
          "a reading says how likely each id is");
    return;
  }
  check(!ids.empty() && ids.size() <= static_cast<std::size_t>(request_->max_tokens),
        "a request is answered with 1 to max_tokens tokens");
  check(reason != EndReason::trigger || request_->stops, "a string ends only what is to stop at one");
  check(reason != EndReason::eos || !setup_.ignore_eos, "an EOS that is ignored ends nothing");
  check(reason != EndReason::stop_token || request_->stop_token, "a stop token ends only what is to stop at one");
  const bool measures = request_->statistics || request_->max_entropy < kAnyEntropy;
  check(!measures || measured.tokens.size() == ids.size(), "statistics of each token, where they are asked for");
  check(reason != EndReason::uncertain || request_->max_entropy < kAnyEntropy,
        "an entropy ends only what has a limit for it");
}

void RunState::answer(std::span<const TokenId> ids, EndReason reason, const Measured& measured) {
  check_answer(ids, reason, measured);
  const bool is_reading = !request_->read_ids.empty();
  reply_ = {TokenIds(ids.begin(), ids.end()), reason, measured};
  answered_[static_cast<std::size_t>(request_->role)] += static_cast<std::int64_t>(ids.size());
  add_segment(is_reading ? "read" : trace_name(request_->purpose), is_reading ? request_->suffix.size() : ids.size(),
              request_start_ms_);
  if (is_reading) segments_.back().kept = 0;
  if (!is_reading) segments_.back().written = measured.written;
  if (setup_.statistics && !is_reading) {
    written_.push_back({request_->role, request_->prefix.size(), reply_.ids, measured.tokens});
  }
  request_.reset();
  ids_.resize(prompt_size() + generated());
}

void RunState::add_segment(const char* by, std::size_t tokens, double start_ms) {
  Segment segment{.by = by, .tokens = static_cast<int>(tokens)};
  if (setup_.elapsed_seconds) {
    segment.start_ms = start_ms;
    segment.ms = elapsed_ms() - start_ms;
  }
  segment.why = std::exchange(why_, "");
  segments_.push_back(std::move(segment));
}

void RunState::hand_over(const std::string& rule, const std::string& detail) {
  give_reason(detail.empty() ? rule : rule + " " + detail);
  count_hand_over(rule);
}

std::size_t RunState::last_written() const {
  const auto is_written = [](const Segment& segment) { return segment.by != "read" && segment.by != "inject"; };
  const auto last = std::find_if(segments_.rbegin(), segments_.rend(), is_written);
  check(last != segments_.rend(), "a model has written something");
  return static_cast<std::size_t>(segments_.rend() - last) - 1;
}

void RunState::note_kept(std::size_t tokens) { segments_[last_written()].kept = static_cast<int>(tokens); }

void RunState::note_more_kept(std::size_t segment, std::size_t tokens) {
  segments_.at(segment).kept += static_cast<int>(tokens);
}

void RunState::append(std::span<const TokenId> ids, Origin origin) {
  append_logprobs(ids, origin);
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  origins_.insert(origins_.end(), ids.size(), origin);
  settled_ = generated();
  if (think_end_ && std::ranges::find(ids, *think_end_) != ids.end()) thinking_ = false;
}

/// A token has the log-probability that its writer gave it at this place of the text.
void RunState::append_logprobs(std::span<const TokenId> ids, Origin origin) {
  if (!setup_.statistics) return;
  const std::size_t begin = ids_.size();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    float logprob = kNotMeasured;
    for (const Written& written : written_) {
      const bool is_writer = origin == (written.role == Role::target ? Origin::target : Origin::draft);
      if (!is_writer || begin + i < written.start || begin + i - written.start >= written.ids.size()) continue;
      const std::size_t place = begin + i - written.start;
      if (written.ids[place] == ids[i]) logprob = written.statistics[place].logprob;
    }
    logprobs_.push_back(logprob);
  }
  std::erase_if(written_, [end = begin + ids.size()](const Written& written) {
    return written.start + written.ids.size() <= end;
  });
}

void RunState::inject(std::span<const TokenId> ids) {
  ids = ids.first(std::min(ids.size(), static_cast<std::size_t>(left())));
  if (ids.empty()) return;
  append_logprobs(ids, Origin::injected);
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  origins_.insert(origins_.end(), ids.size(), Origin::injected);
  add_segment("inject", ids.size(), elapsed_ms());
}

bool RunState::close_thinking() {
  if (!think_end_ || room() > 0 || left() <= 0) return false;
  withdraw();
  TokenIds end = setup_.tokenizer->encode(settings().thinking_budget_words);
  end.push_back(*think_end_);
  hand_over("thinking_budget");
  inject(end);
  settled_ = generated();
  thinking_ = false;
  return true;
}

void RunState::withdraw() {
  std::size_t injected = generated() - settled_;  // nothing else waits to be settled
  for (auto segment = segments_.rbegin(); injected > 0 && segment != segments_.rend(); ++segment) {
    if (segment->by != "inject") continue;
    const std::size_t taken_back = std::min(injected, static_cast<std::size_t>(segment->tokens));
    segment->kept = segment->tokens - static_cast<int>(taken_back);
    injected -= taken_back;
  }
  ids_.resize(prompt_size() + settled_);
  origins_.resize(settled_);
  if (setup_.statistics) logprobs_.resize(settled_);
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

std::size_t RunState::written_by(Origin origin) const {
  return static_cast<std::size_t>(std::ranges::count(origins_, origin));
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
  ledger.unjudged = unjudged_;
  ledger.hand_overs = hand_overs_;
  result.log = log_;
  result.num_validations = num_validations_;
  result.segments = segments_;
  return result;
}

}  // namespace specthink::inline schedule
