// The thinking schedule: which model writes next, and what stays in the text.
//
// A schedule is a pure state machine. It asks for one request at a time and is told the tokens that came back:
//
//   auto schedule = make_schedule(setup);
//   while (const Request* request = schedule->request()) {
//     const Generation generation = ...;  // what a model writes for the request
//     schedule->resume(generation.ids, generation.reason, generation.measured);
//   }
//   RunResult result = schedule->result();
//
// It knows nothing of models, ranks or devices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "specthink/base/end_reason.h"
#include "specthink/base/purpose.h"
#include "specthink/base/sampling_params.h"
#include "specthink/base/token_statistics.h"
#include "specthink/base/types.h"
#include "specthink/config/settings.h"
#include "specthink/schedule/ledger.h"
#include "specthink/text/stop_matcher.h"
#include "specthink/text/tokenizer.h"

namespace specthink::inline schedule {

/// Who wrote a token of the text.
enum class Origin : std::uint8_t { draft = 0, target = 1, injected = 2 };

/// An entropy that no distribution has.
inline constexpr float kAnyEntropy = std::numeric_limits<float>::infinity();

/// Asks one model to continue `prefix` until an EOS of its own list, `max_tokens`, or one of the ends below. With
/// `read_ids` it is a reading instead: the model reads `suffix` behind the prefix and says how likely each of these ids
/// is next; it writes nothing, and max_tokens and all below it but the purpose do not count.
struct Request {
  Role role = Role::draft;
  Purpose purpose = Purpose::segment;
  std::span<const TokenId> prefix;                          ///< prompt included; valid until resume()
  int max_tokens = 0;                                       ///< at least 1
  const StopTable* stops = nullptr;                         ///< strings whose completion ends it; null: none
  StopAutomaton::State stop_state = StopAutomaton::kStart;  ///< the matcher's before the first new token
  int min_tokens = 0;                 ///< a string that an earlier token completes does not end it
  std::optional<TokenId> stop_token;  ///< ends it wherever it stands
  float max_entropy = kAnyEntropy;    ///< of the raw distribution: a token above it ends the request
  bool statistics = false;            ///< the answer has them for each token
  std::span<const TokenId> suffix;    ///< of a reading; valid until resume(), as read_ids
  std::span<const TokenId> read_ids;
};

/// What an answer says besides its tokens, where the request asks for it; how it was written, always.
struct Measured {
  std::vector<TokenStatistics> tokens{};  ///< one for each, with statistics or max_entropy
  std::vector<float> reading{};           ///< log-probability of each of read_ids; empty: the suffix had no room
  StepCount written{};                    ///< for the trace; not of a reading
};

enum class FinishReason {
  stop,         ///< EOS
  length,       ///< max_tokens or the context
  time_out,     ///< the schedule's time_out
  interrupted,  ///< the user's signal
};
const char* name_of(FinishReason reason);

/// A decision in which the target wrote, as the result files list them (`correct_tokens`).
struct LogEntry {
  std::size_t pos = 0;                    ///< generated tokens before it
  int token_num = 0;                      ///< nominal length with compat original, real length with compat fixed
  std::string target_text;                ///< special tokens skipped
  std::optional<std::string> draft_text;  ///< the probe it was asked about
};

/// Text of one origin.
struct TextPiece {
  std::string text;
  Origin origin = Origin::draft;
};

struct RunResult {
  TokenIds ids;                 ///< generated, injected ones and EOS included; mode vllm_p: each in its writer's ids
  std::vector<Origin> origins;  ///< one per id
  FinishReason finish_reason = FinishReason::length;
  Ledger ledger;
  std::vector<LogEntry> log;
  int num_validations = 0;
  std::vector<Segment> segments;  ///< requests and injections in order, for the trace
  std::string text;  ///< special tokens skipped; of the original loop: prompt included, as the original returns it; in
                     ///< mode vllm_p with the special tokens
};

/// What a schedule works on. Tokenizer and triggers must outlive it.
struct RunSetup {
  ScheduleSettings settings;
  bool normal_mode = false;                    ///< one model alone; needs no tokenizer
  Role normal_role = Role::target;             ///< which one
  const Tokenizer* tokenizer = nullptr;        ///< the target's
  const Tokenizer* draft_tokenizer = nullptr;  ///< mode vllm_p: the draft's own, in whose ids the prompt is
  const StopTable* triggers = nullptr;         ///< of policies sentiment and random
  const StopTable* cues = nullptr;             ///< of policy relay, with sentence_ends
  const StopTable* sentence_ends = nullptr;
  const StopTable* step_ends = nullptr;  ///< of policies score and step_entropy
  TokenIds question;                     ///< of policy score: what the target reads behind a step
  TokenIds digits;                       ///< of policy score: the ids of 0 to 9
  DrawKey draw;                          ///< of policy random's coins
  double match_share = 0;                ///< of an automatic target_rate: the target's share of the tokens
  TokenIds eos_ids;                      ///< both models' lists (generation_config.json)
  std::optional<TokenId> tokenizer_eos;  ///< eos_token_id of the target's tokenizer (mode vllm_p: of the draft's): all
                                         ///< that the original loop looks for
  bool ignore_eos = false;
  bool statistics = false;  ///< settled_logprobs() are wanted; not in mode vllm_p
  TokenIds prompt;
  std::string prompt_text;                  ///< mode vllm_p
  int max_tokens = 0;                       ///< generated tokens at most
  int max_model_len = 0;                    ///< prompt and generated tokens at most, for both models
  std::function<double()> elapsed_seconds;  ///< since the run began; empty: no clock, time_out never passes
};

class Schedule {
 public:
  virtual ~Schedule() = default;

  /// The request that waits for an answer, or null when the run is over.
  virtual const Request* request() const = 0;

  /// Answers the current request with the tokens that were generated (EOS included), 1 to max_tokens, and with why
  /// they ended, which no loop works out again.
  virtual void resume(std::span<const TokenId> ids, EndReason reason, const Measured& measured = {}) = 0;

  /// Ends the run where it stands (a signal came). The current request is dropped.
  virtual void interrupt() = 0;

  /// Generated so far: what is certain to stay (streaming), with the origin of each token.
  virtual std::span<const TokenId> settled_ids() const = 0;
  virtual std::span<const Origin> settled_origins() const = 0;

  /// With RunSetup::statistics the log-probability of each of these tokens for the model that wrote it; kNotMeasured
  /// for words of the schedule. Otherwise empty.
  virtual std::span<const float> settled_logprobs() const = 0;

  /// In mode vllm_p, where ids of different tokenizers follow each other: the text generated so far. Otherwise empty.
  virtual std::span<const TextPiece> settled_text() const = 0;

  /// After the last request. prefilled counts of the ledger are left to the engine's user.
  virtual RunResult result() const = 0;
};

/// Strings that end what a request of a policy writes: a sentence (relay), a step (score, step_entropy).
std::span<const std::string> sentence_end_strings();
std::span<const std::string> step_end_strings();

/// Whether requests of this policy stop at TRIGGER_TOKENS.
bool stops_at_triggers(Policy policy);

/// The entropy above which the target writes: entropy_threshold, or the policy's own default.
double entropy_limit(const ScheduleSettings& settings);

/// Whether the original's loop runs: with compat original, and in each mode but vllm.
bool uses_original_loop(const ScheduleSettings& settings);

/// Throws UserError for a prompt that leaves no room in the context.
std::unique_ptr<Schedule> make_schedule(RunSetup setup);

}  // namespace specthink::inline schedule
