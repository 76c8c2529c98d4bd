#include "server/answer/answer.h"

#include <algorithm>
#include <utility>

#include "specthink/base/utf8.h"

namespace specthink::inline server {
namespace {

/// The API knows fewer reasons than the schedule.
const char* api_reason(FinishReason reason) { return reason == FinishReason::stop ? "stop" : "length"; }

const char* path_of(Endpoint endpoint) {
  return endpoint == Endpoint::chat ? "/v1/chat/completions" : "/v1/completions";
}

}  // namespace

Answer::Answer(const CompletionRequest& request, std::int64_t prompt_tokens, std::vector<ChoiceText::Options> choices,
               std::shared_ptr<Responder> responder, Metrics& metrics)
    : responder_(std::move(responder)),
      metrics_(metrics),
      writer_(request),
      path_(path_of(request.endpoint)),
      stream_(request.stream) {
  for (ChoiceText::Options& options : choices) {
    Choice& choice = choices_.emplace_back(std::move(options));
    if (request.logprobs) choice.logprobs.emplace(choice.text.tokenizer(), request.endpoint);
  }
  usage_.prompt_tokens = prompt_tokens;
}

Answer::~Answer() {
  if (!is_over_) metrics_.count_gone();
}

void Answer::on_token(std::size_t choice, const WrittenToken& token) {
  const std::lock_guard lock(choices_mutex_);
  Choice& own = choices_[choice];
  if (own.text.stopped_by()) return;
  note_token();
  if (own.logprobs) own.logprobs->push(token.id, token.logprob);
  emit(choice, own.text.push(token.id, token.origin));
}

void Answer::on_text(std::size_t choice, const TextPiece& piece) {
  const std::lock_guard lock(choices_mutex_);
  note_token();
  emit(choice, choices_[choice].text.push(piece));
}

void Answer::note_token() {
  last_token_ = watch_.seconds();
  ++num_tokens_;
  if (first_token_ >= 0) return;
  first_token_ = last_token_;
  metrics_.observe_first_token(first_token_);
}

void Answer::emit(std::size_t choice, std::vector<Delta> deltas) {
  if (deltas.empty()) return;
  Choice& own = choices_[choice];
  ChoiceRecord& record = own.record;
  std::string events;
  for (const Delta& delta : deltas) {
    if (stream_) {
      if (record.origins.empty()) events += writer_.first(choice);
      events += writer_.part(choice, delta, own.take_logprobs());
    } else {
      (delta.is_thought ? record.thought : record.answer) += delta.text;
    }
    if (record.origins.empty() || record.origins.back().first != delta.origin) {
      record.origins.emplace_back(delta.origin, 0);
    }
    record.origins.back().second += count_characters(delta.text);
  }
  if (stream_) write(std::move(events));
}

void Answer::write(std::string events) {
  if (events.empty()) return;
  const std::lock_guard lock(mutex_);
  if (is_over_) return;
  if (!std::exchange(has_begun_, true)) responder_->begin_stream();
  responder_->write(std::move(events));
}

void Answer::on_end(std::size_t choice, const EngineRun& run) {
  const std::lock_guard lock(choices_mutex_);
  Choice& own = choices_[choice];
  emit(choice, own.text.finish());
  own.record.stop_reason = own.text.stopped_by();
  own.record.finish_reason = own.record.stop_reason ? "stop" : api_reason(run.result.finish_reason);
  own.record.logprobs = own.take_logprobs();
  if (stream_) {
    std::string events = own.record.origins.empty() ? writer_.first(choice) : "";
    write(events + writer_.last(choice, own.record));
  }
  const bool counts_tokens = own.text.num_tokens() > 0 && own.record.stop_reason;
  usage_.completion_tokens += counts_tokens ? own.text.num_tokens() : static_cast<std::int64_t>(run.result.ids.size());
  usage_.ledger += run.result.ledger;
  metrics_.add(run.result.ledger);
  if (++num_ended_ == choices_.size()) end();
}

void Answer::end() {
  const std::lock_guard lock(mutex_);
  if (is_over_.exchange(true)) return;
  if (responder_->is_gone()) return metrics_.count_gone();
  metrics_.count_reply(path_, 200);
  metrics_.observe_answer(watch_.seconds());
  if (num_tokens_ > 1) {
    metrics_.observe_token((last_token_ - first_token_) / static_cast<double>(num_tokens_ - 1));
  }
  if (stream_) {
    responder_->write(writer_.usage(usage_) + ReplyWriter::done());
    responder_->end_stream();
    return;
  }
  std::vector<ChoiceRecord> records;
  for (const Choice& choice : choices_) records.push_back(choice.record);
  responder_->send({.body = writer_.whole(records, usage_)});
}

bool Answer::is_abandoned(std::size_t choice) const {
  return is_over_ || responder_->is_gone() || choices_[choice].text.stopped_by().has_value();
}

void Answer::fail(const ApiError& error) {
  const std::lock_guard lock(mutex_);
  if (is_over_.exchange(true)) return;
  metrics_.count_reply(path_, error.status);
  if (!has_begun_) return responder_->send(error_reply(error));
  responder_->write(ReplyWriter::error(error_body(error)) + ReplyWriter::done());
  responder_->end_stream();
}

}  // namespace specthink::inline server
