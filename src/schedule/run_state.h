// The growing text of one run, the request that waits, and the account of who wrote what: all that the loops share.
#pragma once

#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "specthink/schedule/schedule.h"

namespace specthink::inline schedule {

class RunState {
 public:
  /// `limit`: tokens that may follow the prompt. No request asks for more.
  RunState(RunSetup setup, int limit);

  // --- What the loops do ---

  /// What a model wrote for a request, and why it stopped there.
  struct Reply {
    TokenIds ids;
    EndReason reason = EndReason::length;
  };

  /// What `co_await` takes: suspends the loop until the request is answered, for good when the run is over.
  struct Answer {
    RunState* run;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    Reply await_resume() const { return std::move(run->reply_); }
  };

  /// Asks the draft for text up to and including the token that completes a trigger.
  [[nodiscard]] Answer ask_segment(int max_tokens, StopAutomaton::State state);

  /// Asks the model that `purpose` belongs to for `max_tokens` (at least 1) after the text and `ahead`, which is no
  /// part of the text. Cut to what is left; when nothing is left the run ends.
  [[nodiscard]] Answer ask(Purpose purpose, int max_tokens, std::span<const TokenId> ahead = {});

  /// As ask, after ids of the model's own instead of the run's. Cut to what the context leaves behind them.
  [[nodiscard]] Answer ask_after(Purpose purpose, int max_tokens, TokenIds prefix, bool stop_at_trigger);

  /// Adds what a model wrote to the text. All text up to here is settled now.
  void append(std::span<const TokenId> ids, Origin origin);

  /// Adds words of the schedule, cut to what is left. They are settled when text is appended to them.
  void inject(std::span<const TokenId> ids);

  /// In mode vllm_p, where text is what the models share: what has come behind the prompt's text.
  void append_text(TextPiece piece) { text_.push_back(std::move(piece)); }

  /// Takes back what is not settled.
  void withdraw();

  /// One decision to ask the target.
  void count_validation() { ++num_validations_; }

  /// Text of the target that is about to be appended.
  void log(LogEntry entry) { log_.push_back(std::move(entry)); }

  /// The tokens that the settings give to text of the target, whatever its real length.
  void count_nominal(int tokens) { nominal_target_tokens_ += tokens; }

  /// Ends the run. The loop must not go on; if it awaits another answer, none comes.
  void finish(FinishReason reason);

  bool timed_out() const;

  /// Whether an EOS of either model's list is in `ids`, as compat fixed asks of text that it keeps. A model stops at
  /// its own list alone: the other's EOS may stand in the middle of what it wrote.
  bool has_eos(std::span<const TokenId> ids) const;
  bool has_eos(const Reply& reply) const { return reply.reason == EndReason::eos || has_eos(reply.ids); }

  std::string decode(std::span<const TokenId> ids) const;  ///< special tokens skipped

  const RunSetup& setup() const { return setup_; }
  const ScheduleSettings& settings() const { return setup_.settings; }
  std::size_t prompt_size() const { return setup_.prompt.size(); }
  std::size_t generated() const { return origins_.size(); }
  int left() const { return limit_ - static_cast<int>(generated()); }

  /// Prompt and text.
  std::span<const TokenId> ids() const { return std::span(ids_).first(prompt_size() + generated()); }

  // --- What the schedule does ---

  bool finished() const { return finish_reason_.has_value(); }
  const Request* request() const { return request_ ? &*request_ : nullptr; }
  void answer(std::span<const TokenId> ids, EndReason reason);
  std::span<const TokenId> settled_ids() const { return std::span(ids_).subspan(prompt_size(), settled_); }
  std::span<const Origin> settled_origins() const { return std::span(origins_).first(settled_); }
  std::span<const TextPiece> text() const { return text_; }
  RunResult result() const;  ///< without the text

 private:
  Answer ask(Request request, std::span<const TokenId> ahead);
  Answer wait_for(Request request, std::span<const TokenId> prefix);
  double elapsed_ms() const;  ///< below 0 without a clock

  RunSetup setup_;
  int limit_;

  TokenIds ids_;                 // prompt, text and, while a request waits, what it looks ahead over
  std::vector<Origin> origins_;  // one for each token of the text
  std::size_t settled_ = 0;      // tokens of the text that are certain to stay
  std::vector<TextPiece> text_;  // mode vllm_p
  TokenIds own_prefix_;          // of the request, where it is not ids_

  std::optional<Request> request_;
  double request_start_ms_ = -1;
  Reply reply_;

  std::array<std::int64_t, 2> answered_{};  // tokens that each role wrote, kept or not
  std::int64_t nominal_target_tokens_ = 0;
  std::vector<LogEntry> log_;
  int num_validations_ = 0;
  std::vector<Segment> segments_;
  std::optional<FinishReason> finish_reason_;
};

}  // namespace specthink::inline schedule
