// The answer to a completion request: its choices as they are written, whole or as a stream.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/answer/choice_text.h"
#include "server/answer/replies.h"
#include "server/answer/token_logprobs.h"
#include "server/api/completion_request.h"
#include "server/api/errors.h"
#include "server/http/exchange.h"
#include "server/metrics.h"
#include "specthink/base/stopwatch.h"
#include "specthink/engine/runner.h"

namespace specthink::inline server {

class Answer : public std::enable_shared_from_this<Answer> {
 public:
  /// `prompt_tokens`: of all prompts. `choices`: how each one's text is made. Metrics must outlive the answer.
  Answer(const CompletionRequest& request, std::int64_t prompt_tokens, std::vector<ChoiceText::Options> choices,
         std::shared_ptr<Responder> responder, Metrics& metrics);
  ~Answer();
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;

  // --- From the thread that drives the choice's engine

  void on_token(std::size_t choice, const WrittenToken& token);
  void on_text(std::size_t choice, const TextPiece& piece);
  void on_end(std::size_t choice, const EngineRun& run);

  /// Whether nobody reads what this choice would go on with.
  bool is_abandoned(std::size_t choice) const;

  double age() const { return watch_.seconds(); }  ///< seconds

  // --- From any thread

  /// Ends the answer with an error, where it has not ended.
  void fail(const ApiError& error);

 private:
  struct Choice {
    explicit Choice(ChoiceText::Options options) : text(std::move(options)) {}
    Json take_logprobs() { return logprobs ? logprobs->take() : Json(nullptr); }

    ChoiceText text;
    ChoiceRecord record;
    std::optional<TokenLogprobs> logprobs;  // where they are asked for
  };

  void emit(std::size_t choice, std::vector<Delta> deltas);
  void write(std::string events);
  void note_token();
  void end();

  std::shared_ptr<Responder> responder_;
  Metrics& metrics_;
  ReplyWriter writer_;
  const char* path_;
  bool stream_;
  std::vector<Choice> choices_;
  UsageRecord usage_;
  std::size_t num_ended_ = 0;
  Stopwatch watch_;
  double first_token_ = -1;  // seconds
  double last_token_ = 0;
  std::int64_t num_tokens_ = 0;
  std::mutex choices_mutex_;  // choices may be written by several engines
  std::mutex mutex_;          // of what follows: of the way out
  bool has_begun_ = false;    // the stream's head is out
  std::atomic<bool> is_over_{false};
};

}  // namespace specthink::inline server
