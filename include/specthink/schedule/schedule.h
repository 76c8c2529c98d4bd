// The thinking schedule: which model writes next, and what stays in the text.
//
// A schedule is a pure state machine. It asks for one request at a time and is told the tokens that came back:
//
//   auto schedule = make_schedule(setup);
//   while (const Request* request = schedule->request()) {
//     const Generation generation = ...;  // what a model writes for the request
//     schedule->resume(generation.ids, generation.reason);
//   }
//   RunResult result = schedule->result();
//
// It knows nothing of models, ranks or devices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "specthink/base/end_reason.h"
#include "specthink/base/purpose.h"
#include "specthink/base/types.h"
#include "specthink/config/settings.h"
#include "specthink/schedule/ledger.h"
#include "specthink/text/stop_matcher.h"
#include "specthink/text/tokenizer.h"

namespace specthink::inline schedule {

/// Who wrote a token of the text.
enum class Origin : std::uint8_t { draft = 0, target = 1, injected = 2 };

/// Asks one model to continue `prefix` until an EOS of its own list, `max_tokens`, or, with `stop_at_trigger`, the
/// token that completes a trigger string.
struct Request {
  Role role = Role::draft;
  Purpose purpose = Purpose::segment;
  std::span<const TokenId> prefix;  ///< prompt included; valid until resume()
  int max_tokens = 0;               ///< at least 1
  bool stop_at_trigger = false;
  StopAutomaton::State stop_state = StopAutomaton::kStart;  ///< the matcher's before the first new token
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
  const StopTable* triggers = nullptr;
  TokenIds eos_ids;                      ///< both models' lists (generation_config.json)
  std::optional<TokenId> tokenizer_eos;  ///< eos_token_id of the target's tokenizer (mode vllm_p: of the draft's): all
                                         ///< that the original loop looks for
  bool ignore_eos = false;
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
  virtual void resume(std::span<const TokenId> ids, EndReason reason) = 0;

  /// Ends the run where it stands (a signal came). The current request is dropped.
  virtual void interrupt() = 0;

  /// Generated so far: what is certain to stay (streaming), with the origin of each token.
  virtual std::span<const TokenId> settled_ids() const = 0;
  virtual std::span<const Origin> settled_origins() const = 0;

  /// In mode vllm_p, where ids of different tokenizers follow each other: the text generated so far. Otherwise empty.
  virtual std::span<const TextPiece> settled_text() const = 0;

  /// After the last request. prefilled counts of the ledger are left to the engine's user.
  virtual RunResult result() const = 0;
};

/// Whether the original's loop runs: with compat original, and in each mode but vllm.
bool uses_original_loop(const ScheduleSettings& settings);

/// Throws UserError for a prompt that leaves no room in the context.
std::unique_ptr<Schedule> make_schedule(RunSetup setup);

}  // namespace specthink::inline schedule
