// The growing text of one run, the request that waits, and the account of who wrote what: all that the loops share.
#pragma once

#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "specthink/schedule/schedule.h"

namespace specthink::inline schedule {

/// As many tokens as the run has left.
inline constexpr int kAllLeft = std::numeric_limits<int>::max();

class RunState {
 public:
  /// `limit`: tokens that may follow the prompt. No request asks for more.
  RunState(RunSetup setup, int limit);

  // --- What the loops do ---

  /// What a model wrote for a request, and why it stopped there.
  struct Reply {
    TokenIds ids;
    EndReason reason = EndReason::length;
    Measured measured;
  };

  /// What `co_await` takes: suspends the loop until the request is answered, for good when the run is over.
  struct Answer {
    RunState* run;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    Reply await_resume() const { return std::move(run->reply_); }
  };

  /// What a loop asks a model for.
  struct Wanted {
    Purpose purpose = Purpose::segment;  ///< and with it the model
    int max_tokens = kAllLeft;
    const StopTable* stops = nullptr;
    StopAutomaton::State stop_state = StopAutomaton::kStart;
    int min_tokens = 0;
    bool stops_at_think_end = false;  ///< while the run is thinking
    float max_entropy = kAnyEntropy;
    bool statistics = false;
  };

  /// Asks the model that the purpose belongs to for max_tokens (at least 1) after the text and `ahead`, which is no
  /// part of the text. Cut to room(); when nothing is left the run ends.
  [[nodiscard]] Answer ask(const Wanted& wanted, std::span<const TokenId> ahead = {});
  [[nodiscard]] Answer ask(Purpose purpose, int max_tokens, std::span<const TokenId> ahead = {}) {
    return ask(Wanted{.purpose = purpose, .max_tokens = max_tokens}, ahead);
  }

  /// As ask, unless the time is over: then the run ends. Compat fixed looks at the clock before every request.
  [[nodiscard]] Answer ask_in_time(const Wanted& wanted, std::span<const TokenId> ahead = {});

  /// As ask, after ids of the model's own instead of the run's. Cut to what the context leaves behind them.
  [[nodiscard]] Answer ask_after(Purpose purpose, int max_tokens, TokenIds prefix, const StopTable* stops);

  /// Has the target read the setup's question behind the text and `ahead`: the answer is how likely each digit is.
  [[nodiscard]] Answer ask_reading(std::span<const TokenId> ahead);

  /// Adds what a model wrote to the text. All text up to here is settled now.
  void append(std::span<const TokenId> ids, Origin origin);

  /// Adds words of the schedule, cut to what is left. They are settled when text is appended to them.
  void inject(std::span<const TokenId> ids);

  /// In mode vllm_p, where text is what the models share: what has come behind the prompt's text.
  void append_text(TextPiece piece) { text_.push_back(std::move(piece)); }

  /// Takes back what is not settled.
  void withdraw();

  /// When the thinking budget is used up: takes back what is not settled and injects the end of the thinking. True when
  /// it did.
  bool close_thinking();

  /// One decision to ask the target.
  void count_validation() { ++num_validations_; }

  /// A step that nobody judged.
  void count_unjudged() { ++unjudged_; }

  /// The coming request goes to another writer than the text's last, for this reason: `rule` is counted, and stands in
  /// the trace with `detail` behind it.
  void hand_over(const std::string& rule, const std::string& detail = "");

  /// The two halves of it, where a request may come to nothing: `why` begins with the rule.
  void give_reason(const std::string& why) { why_ = why; }
  void count_hand_over(const std::string& why) { hand_overs_[why.substr(0, why.find(' '))] += 1; }

  /// Of the last request's tokens so many stay in the text, where that is not plain from who wrote them.
  void note_kept(std::size_t tokens);

  /// The segment of the last request, and tokens that stay of such a one besides those that were noted.
  std::size_t last_written() const;
  void note_more_kept(std::size_t segment, std::size_t tokens);

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
  std::size_t written_by(Origin origin) const;
  int left() const { return limit_ - static_cast<int>(generated()); }

  /// What is left until the limit, or until the thinking budget is used up.
  int room() const;

  /// Whether no </think> has come yet. Without such a token it never does.
  bool thinking() const { return thinking_; }

  /// Prompt and text.
  std::span<const TokenId> ids() const { return std::span(ids_).first(prompt_size() + generated()); }

  // --- What the schedule does ---

  bool finished() const { return finish_reason_.has_value(); }
  const Request* request() const { return request_ ? &*request_ : nullptr; }
  void answer(std::span<const TokenId> ids, EndReason reason, const Measured& measured);
  std::span<const TokenId> settled_ids() const { return std::span(ids_).subspan(prompt_size(), settled_); }
  std::span<const Origin> settled_origins() const { return std::span(origins_).first(settled_); }
  std::span<const float> settled_logprobs() const {
    return std::span(logprobs_).first(logprobs_.empty() ? 0 : settled_);
  }
  std::span<const TextPiece> text() const { return text_; }
  RunResult result() const;  ///< without the text

 private:
  /// What a model wrote, and where.
  struct Written {
    Role role = Role::draft;
    std::size_t start = 0;  // in ids_
    TokenIds ids;
    std::vector<TokenStatistics> statistics;
  };

  Answer wait_for(Request request, std::span<const TokenId> prefix);
  void check_answer(std::span<const TokenId> ids, EndReason reason, const Measured& measured) const;
  void append_logprobs(std::span<const TokenId> ids, Origin origin);
  void add_segment(const char* by, std::size_t tokens, double start_ms);
  double elapsed_ms() const;  ///< below 0 without a clock

  RunSetup setup_;
  int limit_;
  std::optional<TokenId> think_end_;
  bool thinking_;

  TokenIds ids_;                  // prompt, text and, while a request waits, what it looks ahead over
  std::vector<Origin> origins_;   // one for each token of the text
  std::vector<float> logprobs_;   // the same, with statistics
  std::vector<Written> written_;  // with statistics: replies that may yet become part of the text
  std::size_t settled_ = 0;       // tokens of the text that are certain to stay
  std::vector<TextPiece> text_;   // mode vllm_p
  TokenIds own_prefix_;           // of the request, where it is not ids_

  std::optional<Request> request_;
  double request_start_ms_ = -1;
  Reply reply_;

  std::array<std::int64_t, 2> answered_{};  // tokens that each role wrote, kept or not
  std::int64_t nominal_target_tokens_ = 0;
  std::vector<LogEntry> log_;
  int num_validations_ = 0;
  std::int64_t unjudged_ = 0;
  std::map<std::string, std::int64_t> hand_overs_;
  std::string why_;  // of the coming segment
  std::vector<Segment> segments_;
  std::optional<FinishReason> finish_reason_;
};

}  // namespace specthink::inline schedule
